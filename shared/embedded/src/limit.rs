//! Every bound of the store, with its unit and its reason.

use std::time::Duration;

/// Bytes of one message, commit, plan or result. The engine's largest is a plan of about 2 MB; anything larger is a defect.
pub const TEXT_BYTES: usize = 8 * 1024 * 1024;
/// Bytes from which on the events of a commit and the body of a command are packed: shorter ones fit into a page with the rest of their row.
pub const PACKED_BYTES: usize = 256;
/// Default of [`crate::Options::max_receives`]: deliveries of one message before it is dead-lettered.
pub const MAX_RECEIVES: u32 = 5;
/// Events of a run's log that are read by the thread that asks for them; a longer log is read by one of the readers.
pub const SHORT_LOG: u64 = 64;
/// Writes in one transaction: enough to share a disk sync, few enough that the first does not wait long for the last.
pub const GROUP_WRITES: usize = 512;
/// Commands in hand from which on the writer waits for the writes of most of them, so that they share a transaction.
pub const CROWD: usize = 24;
/// Groups of writes without such a wait, after one that fewer than a quarter came to.
pub const GROUPS_WITHOUT_WAIT: usize = 16;
/// The longest such wait: short beside the steps of so many runs.
pub const GROUP_WAIT: Duration = Duration::from_millis(4);
/// Reader connections. More than the idle cores would only take turns.
pub const READERS: usize = 2;
/// Default of [`crate::Options::busy_timeout`]: how long a write waits for another process's transaction.
pub const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// The interval at which a waiter polls for messages of other processes, which cannot notify it.
pub const POLL: Duration = Duration::from_millis(250);
/// Messages of one queue that pass in memory from the write that sent them to their receiver. The others are read from the table.
pub const MAILBOX: usize = 512;
/// Bytes of those messages.
pub const MAILBOX_BYTES: usize = 4 * 1024 * 1024;
/// Receives from memory after which the table is read, where delayed messages are.
pub const MAILBOX_TURNS: u32 = 16;
/// Bytes of a page of a new file. A commit writes each page that it changes whole, and changes few bytes of most.
pub const PAGE_BYTES: u32 = 512;
/// Pages in the write-ahead log at which it is checkpointed into the database: a page that many commits change is written there once.
pub const CHECKPOINT_PAGES: u32 = 64_000;
/// Pages by which the log grows until the next checkpoint, while a reader keeps it from beginning anew: each sorts the whole log.
pub const CHECKPOINT_AGAIN_PAGES: u32 = 16_000;
/// Bytes to which the write-ahead log is truncated after it grew, for example during another process's long read.
pub const WAL_BYTES: u32 = 64 * 1024 * 1024;
/// KiB of the writer's page cache: the pages that runs work on. A commit after a tree was balanced looks through the whole cache.
pub const WRITER_CACHE_KIB: u32 = 2 * 1024;
/// KiB of each reader's page cache: each commit empties it, and the operating system caches the same pages.
pub const READER_CACHE_KIB: u32 = 512;
/// Prepared statements that a connection caches; the store has about 50.
pub const STATEMENTS: usize = 96;
/// Rows that garbage collection removes in one write, so that other writes are not held up.
pub const GARBAGE_ROWS: u32 = 500;
/// Rows that garbage collection examines in one read: a few milliseconds, so that the log can be taken over into the file in between.
pub const GARBAGE_EXAMINED: u32 = 2_000;
/// Pause of garbage collection after each such read: runs go first. Ten million rows take two minutes.
pub const GARBAGE_PAUSE: Duration = Duration::from_millis(20);
/// Milliseconds that a claim is kept after its lease ends: far longer than its command can be delivered again.
pub const KEEP_CLAIMS_MS: u64 = 7 * 86_400_000;
/// Milliseconds that a cooldown is kept after its end, because the policy asks when a target was last touched.
pub const KEEP_COOLDOWNS_MS: u64 = 7 * 86_400_000;
/// Rounds in which one receive dead-letters messages that reached the receive limit, before it delivers what it has.
pub const DEAD_LETTER_ROUNDS: usize = 16;
/// Aborts of the process with a message in hand from which the message is handled beside no other suspect.
pub const SUSPECT_ABORTS: u32 = 2;
/// Aborts of the process with a message in hand after which the message is dead-lettered.
pub const MAX_ABORTS: u32 = 4;
/// Kills of the process with a message in hand from which the message is handled beside no other suspect.
pub const SUSPECT_KILLS: u32 = 10;
/// Kills of the process with a message in hand after which the message is dead-lettered: whoever kills a process so often without one success is
/// the system itself, which has no memory left for this message.
pub const MAX_KILLS: u32 = 100;
/// Bytes of a state file up to which it is checked before anything is written. SQLite reads about 1 GB in 2 s from the cache of the operating system,
/// and as fast as the disk is otherwise: a larger file is checked while it is used.
pub const CHECK_FIRST_BYTES: u64 = 16 * 1024 * 1024;
/// Longest time of the check before anything is written.
pub const CHECK_TIME: Duration = Duration::from_secs(10);
/// Pages, or steps of a statement, after which a check beside the work looks at the time.
pub const CHECK_STEPS: i32 = 100;
/// How long such a check works at a time.
pub const CHECK_SPELL: Duration = Duration::from_millis(1);
/// Its pause after that, since runs go first: a file of 5 GB takes about three minutes.
pub const CHECK_PAUSE: Duration = Duration::from_millis(5);
/// Bytes of the write-ahead log at which it gives up: while it reads, the log only grows.
pub const CHECK_LOG_BYTES: u64 = 512 * 1024 * 1024;
/// Findings that a check reports.
pub const FINDINGS: usize = 100;
/// How often it is tried whether a disk that refused a write takes writes again.
pub const DISK_PROBE: Duration = Duration::from_secs(1);
/// How long the answer is kept whether the disk of an idle store takes writes.
pub const DISK_ANSWER: Duration = Duration::from_secs(30);
/// Bytes that a disk which refused a write has to take before anything else is written: small writes may fit where a turn does not.
pub const DISK_ROOM_BYTES: u32 = 256 * 1024;
/// How long the end of work in hand waits for the disk. An attempt's claim lasts 30 s, a delivery a minute or two: nobody else waits for it any more.
pub const DISK_PATIENCE: Duration = Duration::from_mins(10);
/// How long the next work waits for the disk before its loop may stop, and how long overdue runs wait once the disk takes writes again.
pub const DISK_PAUSE: Duration = Duration::from_secs(5);
/// Bytes of the record of messages in hand at which it is written anew.
pub const HAND_BYTES: u64 = 64 * 1024;
