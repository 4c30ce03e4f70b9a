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
/// Checks of one installation: all of them are looked at in one minute's run of the schedule, at the same time.
pub const CHECKS: usize = 100;
/// Targets that one check remembers: with [`CHECK_TARGET_BYTES`] each and some 200 of counts, under half of a `DynamoDB` item.
pub const CHECK_TARGETS: usize = 500;
/// Bytes of a target's id that are remembered as they are; a longer one is remembered by its hash.
pub const CHECK_TARGET_BYTES: usize = 128;
/// Incidents that one look of one check raises. What is beyond waits for the next look: a storm is healed bit by bit.
pub const CHECK_RAISES: usize = 25;
/// Failing looks in a row that a check may ask for before it raises its incident.
pub const CHECK_FAILURES: u32 = 1_000;
/// Seconds from one look of a check to the next, at least: what a service does not feel.
pub const CHECK_EVERY_SECONDS: u64 = 10;
/// Seconds of one look: half of a minute's run of the schedule, so that storing and sending have the other half.
pub const PROBE_SECONDS: u64 = 30;
/// Bytes of a text that a probe may ask an answer to contain.
pub const PROBE_TEXT_BYTES: usize = 1_024;
