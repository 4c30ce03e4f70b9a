//! Every bound of this crate: name, unit, and why this number.

use std::time::Duration;

/// Longest wait for a connection. In the region that a function runs in, one is there within milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for the first byte of an answer, the connection included.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time of one try, up to the last byte of the answer.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time of one call, with its tries and the pauses between them: less than the orchestrator's 10 s that a call may wait for an
/// identity.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
/// Tries of one call: retries are the engine's, so here it is one at once for what went wrong on the way.
pub const MAX_ATTEMPTS: u32 = 2;
/// Longest pause before the second try; the SDK takes a random part of it.
pub const BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait for credentials, where they come from an instance's or a container's metadata service or from STS.
pub const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for finding out region and profile.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an unused connection is kept. Short, because a frozen Lambda sandbox wakes up with dead ones.
pub const POOL_IDLE: Duration = Duration::from_secs(15);
/// Bytes that are read of a cluster's description; a large one has some 10 KB.
pub const MAX_DESCRIPTION_BYTES: usize = 256 * 1024;
/// How long a token for EKS is given out before there is a new one. A cluster takes it for 15 minutes from its signing on.
pub const TOKEN_LIFE: Duration = Duration::from_mins(10);
/// `X-Amz-Expires` of the request inside a token, as the AWS command line has it.
pub const PRESIGNED_LIFE: Duration = Duration::from_mins(1);
/// Characters of a cluster's name (EKS API, `CreateCluster`).
pub const MAX_CLUSTER_NAME_CHARS: usize = 100;

/// Longest time of one call to the table or to a queue, with its tries: a turn has several of them within its function's 30 s.
pub const STORE_OPERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time of one try of such a call. One takes a few milliseconds.
pub const STORE_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Tries of such a call: throttling and lost answers are common enough, and every write recognises its own first try.
pub const STORE_MAX_ATTEMPTS: u32 = 4;
/// Bytes of one row: `DynamoDB` refuses an item over 400 KB; a little is left for the names of its keys.
pub const ROW_BYTES: usize = 396 * 1024;
/// Bytes that a packed text may unpack to: a commit's events have [`ROW_BYTES`] packed, a compiled playbook 512 KB as YAML.
pub const UNPACKED_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a row that one write unit pays for: what is over is packed where that helps.
pub const WRITE_UNIT_BYTES: usize = 1_024;
/// Bytes of a plan that is stored as plain text.
pub const PLAIN_PLAN_BYTES: usize = 4 * 1_024;
/// Bytes of a foreign text inside a key, under the 1,024 of a sort key and the 2,048 of a partition key; a longer one is named by its digest.
pub const KEY_BYTES: usize = 512;
/// Partitions that live runs spread over: each takes 1,000 writes a second, and a run makes two.
pub const LIVE_SHARDS: u32 = 4;
/// A live run is looked at by the sweep from this many milliseconds after its start on, whatever its first deadline, so that the
/// row that the sweep goes by is not written again at every step.
pub const LOOK_AFTER_MS: u64 = 10_000;
/// Live runs whose newest commit the sweep reads at the same time.
pub const LOOKS_AT_ONCE: usize = 32;
/// A live row whose run was never begun is rubbish after this many milliseconds: its writer died between the two.
pub const ORPHAN_MS: u64 = 3_600_000;
/// Runs whose last commit a process remembers, to append without a look.
pub const KNOWN_RUNS: usize = 4_096;
/// Tries of a transaction, or of a write that depends on what was read, that others get in the way of.
pub const CONTENTION_TRIES: u32 = 12;
/// Longest pause before the next of these tries, in milliseconds.
pub const CONTENTION_PAUSE_MS: u64 = 160;
/// Cooldowns of one attempt that are reserved at the same time.
pub const COOLDOWNS_AT_ONCE: usize = 16;
/// Keys of one batch read: that of `BatchGetItem`.
pub const BATCH_GET_KEYS: usize = 100;
/// Milliseconds after which a finished or abandoned claim is rubbish: a message may come back from a dead-letter queue for 14 days.
pub const CLAIM_KEPT_MS: u64 = 16 * 86_400_000;
/// Milliseconds that a cooldown is kept after its end, for the policy that asks when a target was last touched.
pub const COOLDOWN_KEPT_MS: u64 = 86_400_000;
/// Messages of one `SendMessageBatch`.
pub const SEND_BATCH_MESSAGES: usize = 10;
/// Bytes of one message's body, and of all messages of one batch: the smaller of what the service has ever allowed.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Seconds of the longest delay of a message.
pub const DELAY_SECONDS: u64 = 900;
/// Batches that are sent at the same time.
pub const BATCHES_AT_ONCE: usize = 8;
