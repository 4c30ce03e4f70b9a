//! Every bound of this crate, with its unit and its reason.

use std::time::Duration;

/// Longest wait for a connection. Within a region, connecting takes milliseconds.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest wait for the first byte of an answer, including the connection.
pub const READ_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time of one try, until the last byte of the answer.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(3);
/// Longest time of one call, including its tries and pauses: less than the 10 s that a call of the orchestrator may wait for an identity.
pub const OPERATION_TIMEOUT: Duration = Duration::from_secs(7);
/// Tries of one call. The engine retries steps; here one immediate retry covers a lost connection.
pub const MAX_ATTEMPTS: u32 = 2;
/// Longest pause before the second try; the SDK adds jitter.
pub const BACKOFF: Duration = Duration::from_millis(200);
/// Longest wait for credentials from an instance's or a container's metadata service or from STS.
pub const CREDENTIALS_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time to load region and profile.
pub const LOAD_TIMEOUT: Duration = Duration::from_secs(5);
/// Bytes of one answer: a page of `DynamoDB` has 1 MB, and more as JSON; ten messages of SQS have 10 MiB.
pub const ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// Bytes of any other answer than those.
pub const SMALL_ANSWER_BYTES: usize = 1024 * 1024;
/// Bytes of a cluster's description; a large one has about 10 KB.
pub const MAX_DESCRIPTION_BYTES: usize = 256 * 1024;
/// How long a token for EKS is reused. A cluster accepts it for 15 minutes after its signing.
pub const TOKEN_LIFE: Duration = Duration::from_mins(10);
/// `X-Amz-Expires` of the request inside a token, as the AWS command line sets it.
pub const PRESIGNED_LIFE: Duration = Duration::from_mins(1);
/// Characters of a cluster's name (EKS API, `CreateCluster`).
pub const MAX_CLUSTER_NAME_CHARS: usize = 100;

/// Longest time of one call to the table or a queue, including its tries: a turn makes several within its function's 30 s.
pub const STORE_OPERATION_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time of one try of such a call, which takes a few milliseconds.
pub const STORE_ATTEMPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Tries of such a call. Throttling and lost answers are common, and every write recognises its own first try.
pub const STORE_MAX_ATTEMPTS: u32 = 4;
/// Bytes of one row: `DynamoDB` refuses an item over 400 KB; the rest is for the names of its keys.
pub const ROW_BYTES: usize = 396 * 1024;
/// Bytes of an unpacked text: a commit's events have up to [`ROW_BYTES`] packed, a compiled playbook 512 KB as YAML.
pub const UNPACKED_BYTES: usize = 8 * 1024 * 1024;
/// Bytes of a row that one write unit pays for. Longer texts are packed if that makes them shorter.
pub const WRITE_UNIT_BYTES: usize = 1_024;
/// Bytes of a plan that is stored as plain text.
pub const PLAIN_PLAN_BYTES: usize = 4 * 1_024;
/// Bytes of a foreign text inside a key, under the 1,024 of a sort key and the 2,048 of a partition key. A longer text is replaced by its
/// digest.
pub const KEY_BYTES: usize = 512;
/// Partitions that hold the live rows. Each takes 1,000 writes a second, and a run makes two.
pub const LIVE_SHARDS: u32 = 4;
/// Milliseconds after its start from which the sweep reads a live run whatever its first deadline, so that the live row need not be
/// written again at every step.
pub const SWEEP_AFTER_MS: u64 = 10_000;
/// Runs whose newest commits the sweep or a listing reads concurrently.
pub const SWEEP_CONCURRENT_READS: usize = 32;
/// Ended runs that one page of the index has. A filter is applied after the page is read.
pub const LIST_PAGE_RUNS: usize = 500;
/// Ended runs that one call of a listing examines in each partition of the index: about 600 KB of the index, and at most as many newest commits.
pub const LIST_EXAMINED_RUNS: usize = 2_000;
/// Milliseconds after which a live row without a run is garbage: its writer died between the two writes.
pub const ORPHAN_MS: u64 = 3_600_000;
/// Milliseconds for which a process knows which live runs take room and which wait for it.
pub const ROOM_READING_MS: u64 = 2_000;
/// One part in so many of the free room is what one reading lets in: 20 processes that read at once do not fill it three times over.
pub const ROOM_SHARE: u32 = 10;
/// Runs whose newest commit a process caches, to append without a read.
pub const CACHED_RUNS: usize = 4_096;
/// Optimistic-concurrency tries of a transaction or a conditional write.
pub const CONTENTION_TRIES: u32 = 12;
/// Longest pause before the next of these tries, in milliseconds.
pub const CONTENTION_PAUSE_MS: u64 = 160;
/// Cooldowns of one attempt that are reserved concurrently.
pub const COOLDOWNS_AT_ONCE: usize = 16;
/// Keys of one `BatchGetItem`.
pub const BATCH_GET_KEYS: usize = 100;
/// Milliseconds that a finished or abandoned claim is kept: a dead-letter queue keeps its command for 14 days.
pub const CLAIM_KEPT_MS: u64 = 16 * 86_400_000;
/// Announced claims at which those of workers that are gone are dropped: more than the batches of one process have.
pub const ANNOUNCED_CLAIMS: usize = 4_096;
/// Milliseconds after the end of its lease for which an announcement is kept.
pub const ANNOUNCED_KEPT_MS: u64 = 3_600_000;
/// Milliseconds that a cooldown is kept after its end, because the policy asks when a target was last touched.
pub const COOLDOWN_KEPT_MS: u64 = 86_400_000;
/// Milliseconds that a budget's row is kept after its last place is free: DynamoDB's own expiry needs no haste, and a clock may be behind.
pub const BUDGET_KEPT_MS: u64 = 86_400_000;
/// Messages of one `SendMessageBatch`.
pub const SEND_BATCH_MESSAGES: usize = 10;
/// Runs that one garbage collection removes from each partition of the index. With one collection a minute, that is over 100,000 runs a day.
pub const GARBAGE_RUNS: i32 = 25;
/// Rows that garbage collection deletes concurrently.
pub const GARBAGE_CONCURRENT_DELETES: usize = 16;
/// Default of [`crate::Store::keeping_runs_for`], in days.
pub const RUN_RETENTION_DAYS: u64 = 90;
/// Bytes of one message's body, and of all messages of one batch: the service's original limit, which every endpoint accepts.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Seconds of the longest delay of a message.
pub const DELAY_SECONDS: u64 = 900;
/// Batches that are sent concurrently.
pub const BATCHES_AT_ONCE: usize = 8;
