//! Every bound of the store: name, unit, and why this number.

use std::time::Duration;

/// Bytes of one message, commit, plan or result. The largest that the engine makes is a plan of some 2 MB; beyond this it is a fault.
pub const TEXT_BYTES: usize = 8 * 1024 * 1024;
/// Deliveries of one message before it goes to the dead letters, where [`crate::Options`] does not say otherwise.
pub const MAX_RECEIVES: u32 = 5;
/// Writes in one transaction: enough to share a disk sync, few enough that the first one does not wait long for the last.
pub const GROUP_WRITES: usize = 512;
/// Connections that read while another writes. More than the cores that are left would only take turns.
pub const READERS: usize = 2;
/// How long a write waits for another process that is writing, where [`crate::Options`] does not say otherwise.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// How often a waiter looks for messages of another process, which can't wake it.
pub const POLL: Duration = Duration::from_millis(250);
/// Pages (of 4 KiB) that the write-ahead log may have before they are moved into the database.
pub const CHECKPOINT_PAGES: u32 = 4_000;
/// Bytes to which the write-ahead log is cut back after it has grown, such as under a long read of another process.
pub const WAL_BYTES: u32 = 64 * 1024 * 1024;
/// KiB of pages that the writing connection keeps in memory.
pub const WRITER_CACHE_KIB: u32 = 16 * 1024;
/// KiB of pages that each reading connection keeps in memory; what was read lately, the system has too.
pub const READER_CACHE_KIB: u32 = 4 * 1024;
/// Prepared statements that a connection keeps; the store has about 50.
pub const STATEMENTS: usize = 96;
/// Rows that rubbish collection removes in one write, so that others get their turn.
pub const GARBAGE_ROWS: u32 = 500;
/// Milliseconds that a claim is kept after its lease: far longer than its command can come again.
pub const KEEP_CLAIMS_MS: u64 = 7 * 86_400_000;
/// Milliseconds that a cooldown is kept after its end, so that the policy still hears when a target was last touched.
pub const KEEP_COOLDOWNS_MS: u64 = 7 * 86_400_000;
/// Rounds in which one call moves worn-out messages to the dead letters, before it delivers what it has.
pub const BURIAL_ROUNDS: usize = 16;
