//! Every bound of this crate: name, unit, and why this number.

/// How long before the platform ends an invocation its work is over, in milliseconds: time to answer, and to send telemetry.
pub const END_MARGIN_MS: u64 = 1_500;
/// Overdue runs that one tick of the schedule wakes. The next one comes in a minute.
pub const SWEEP_RUNS: usize = 2_000;
/// Bytes of a file that a function is deployed with: its whole unpacked package may have 250 MB, and playbooks are written by people.
pub const FILE_BYTES: u64 = 32 * 1024 * 1024;
/// The longest time for which a message may be hidden, in milliseconds: the service allows twelve hours.
pub const HIDDEN_MS: u64 = 12 * 3_600_000;
