//! Every bound of the engine: name, unit, and why this number.

/// Bytes of a playbook file. A playbook is written by people; the largest of 1,000 steps has about 200 KB.
pub const PLAYBOOK_BYTES: usize = 512 * 1024;
/// Steps of one playbook, actions and verify entries together.
pub const STEPS: usize = 1_000;
/// Elements that one `for_each` may fan out over.
pub const FAN_OUT_ITEMS: usize = 10_000;
/// Bytes of all elements of one `for_each` as JSON: one event, under the 400 KB of a `DynamoDB` item.
pub const FAN_OUT_BYTES: usize = 256 * 1024;
/// Attempts in flight in one run at a time, over all its steps.
pub const IN_FLIGHT: usize = 100;
/// Attempts of one step.
pub const ATTEMPTS: u32 = 100;
/// Seconds of the longest backoff: what one SQS message can be delayed.
pub const BACKOFF_SECONDS: u64 = 900;
/// Seconds of a step, a wait or a run: one day.
pub const DURATION_SECONDS: u64 = 86_400;
/// Seconds that a run waits for a person's approval before it is cancelled: one day.
pub const APPROVAL_SECONDS: u64 = 86_400;
/// Seconds in which the same incident does not start a second run: one day.
pub const DEDUPE_SECONDS: u64 = 86_400;
/// Bytes of one template's source text.
pub const TEMPLATE_BYTES: usize = 8 * 1024;
/// Fuel of one rendering, in the template engine's own unit (about one per instruction and per item touched).
pub const TEMPLATE_FUEL: u64 = 200_000;
/// Bytes of one step's rendered parameters as JSON.
pub const PARAMETER_BYTES: usize = 64 * 1024;
/// Bytes of a step's output that are kept; the rest is cut, with a mark.
pub const OUTPUT_BYTES: usize = 16 * 1024;
/// Bytes of one warning, error, reason or follow-up text; the rest is cut, with a mark.
pub const TEXT_BYTES: usize = 2 * 1024;
/// Warnings, and follow-up entries, that a run's summary keeps of each; the log keeps all.
pub const NOTES: usize = 200;
/// Bytes of an incoming message: SQS carries 1 MiB, a quarter of it is an incident beyond reason.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Bytes of a rejected message that are kept in its run.
pub const REJECTED_BYTES: usize = 64 * 1024;
/// Events of one run: 10,000 items with a few events each, then something is wrong.
pub const EVENTS: u64 = 200_000;
/// Commands of one run: 10,000 items with a few attempts each. On AWS each is a hop from function to function, and a run that goes
/// in a circle has to end by itself.
pub const HOPS: u64 = 50_000;
/// Events of one commit, so that a record stays far under 400 KB.
pub const EVENTS_PER_TURN: usize = 200;
/// Bytes of one commit's events before the turn is cut and continued by a wake-up.
pub const TURN_BYTES: usize = 200 * 1024;
/// Incidents that one run records as joined.
pub const JOINED: usize = 1_000;
