//! Every bound of this crate, with its unit and its reason.

use std::time::Duration;

/// An attempt ends this many milliseconds before the platform ends the invocation: time to answer and to send telemetry.
pub const END_MARGIN_MS: u64 = 1_500;
/// Overdue runs that one tick of the schedule wakes. The next one comes in a minute.
pub const SWEEP_RUNS: usize = 2_000;
/// Longest time of one tick's removal of old runs, well within the function's 55 s. The next tick goes on where this one stopped.
pub const GARBAGE_TIME: Duration = Duration::from_secs(20);
/// Time after midnight in UTC, in milliseconds, in which a tick logs the head of the last day: a failure has some sixty tries, and a process
/// that starts later in the day does not log it again.
pub const HEAD_WINDOW_MS: u64 = 3_600_000;
/// Longest time of one tick for the head of a day, within the function's 55 s; beside it the tick does everything else.
pub const HEAD_TIME: Duration = Duration::from_secs(40);
/// The largest file that a function is deployed with, in bytes. Lambda allows 250 MB for the unpacked package; playbooks are written by
/// people, and far smaller.
pub const FILE_BYTES: u64 = 32 * 1024 * 1024;
/// The longest visibility timeout of a message, in milliseconds: SQS allows twelve hours.
pub const HIDDEN_MS: u64 = 12 * 3_600_000;
