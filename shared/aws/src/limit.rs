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
/// Characters of a service's message that are kept.
pub const MAX_MESSAGE_CHARS: usize = 512;
/// How long a token for EKS is given out before there is a new one. A cluster takes it for 15 minutes from its signing on.
pub const TOKEN_LIFE: Duration = Duration::from_mins(10);
/// `X-Amz-Expires` of the request inside a token, as the AWS command line has it.
pub const PRESIGNED_LIFE: Duration = Duration::from_mins(1);
/// Characters of a cluster's name (EKS API, `CreateCluster`).
pub const MAX_CLUSTER_NAME_CHARS: usize = 100;
