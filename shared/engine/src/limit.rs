//! Every bound of the engine, with its unit and the reason for its value.

/// Bytes of a playbook file. People write playbooks; the largest of 1,000 steps has about 200 KB.
pub const PLAYBOOK_BYTES: usize = 512 * 1024;
/// Steps of one playbook, actions and verify entries together.
pub const STEPS: usize = 1_000;
/// Elements of one `for_each`.
pub const FAN_OUT_ITEMS: usize = 10_000;
/// Bytes of all elements of one `for_each` as JSON: they are one event, and a `DynamoDB` item has at most 400 KB.
pub const FAN_OUT_BYTES: usize = 256 * 1024;
/// Attempts in flight in one run at a time, over all its steps.
pub const IN_FLIGHT: usize = 100;
/// Attempts of one step.
pub const ATTEMPTS: u32 = 100;
/// Seconds of the longest backoff: the longest delay of one SQS message.
pub const BACKOFF_SECONDS: u64 = 900;
/// Seconds of a step, a wait or a run: one day.
pub const DURATION_SECONDS: u64 = 86_400;
/// Seconds after which a run that nobody approved is cancelled: one day.
pub const APPROVAL_SECONDS: u64 = 86_400;
/// Shares of the time for an approval after which a run reminds of it, in percent: early enough to decide, and once more before it is over.
pub const APPROVAL_REMINDERS_PERCENT: [u32; 2] = [50, 90];
/// The shortest time for an approval, in seconds: enough for a person who is there.
pub const SHORTEST_APPROVAL_SECONDS: u64 = 60;
/// Different identities that one approval may need: more people are never awake at the same time.
pub const APPROVERS_NEEDED: u32 = 5;
/// Identities and groups that one approval may name.
pub const APPROVERS: usize = 50;
/// Seconds in which the same incident does not start a second run: one day.
pub const DEDUPE_SECONDS: u64 = 86_400;
/// Milliseconds in which a worker has to take the first command of an attempt: 5 minutes. Afterwards the command is issued again, each time with
/// twice the time. A command that was lost, or whose worker died, is noticed this much later.
pub const START_WINDOW_MS: u64 = 300_000;
/// Milliseconds that one attempt may wait for a worker in all, and by which waiting for workers and people extends a run's timeout at most: one
/// day.
pub const WAIT_MS: u64 = 86_400_000;
/// Milliseconds of an attempt that starts just before its run's deadline, at least: an action gives up half a second before its end.
pub const SHORTEST_ATTEMPT_MS: u64 = 1_000;
/// Bytes of one template's source text.
pub const TEMPLATE_BYTES: usize = 8 * 1024;
/// Fuel of one rendering, in the template engine's unit: about one per instruction and per element visited.
pub const TEMPLATE_FUEL: u64 = 200_000;
/// Bytes of one step's rendered parameters as JSON.
pub const PARAMETER_BYTES: usize = 64 * 1024;
/// Bytes of a step's output that are kept; the rest is cut, with a mark.
pub const OUTPUT_BYTES: usize = 16 * 1024;
/// Decisions on targets that an attempt's result keeps; a batch may have more targets. Those that were not let pass come first.
pub const DECISIONS: usize = 20;
/// Bytes of these decisions as JSON: one has about 600, one with many broken rules a few thousand.
pub const DECISION_BYTES: usize = 16 * 1024;
/// Bytes of one warning, error, reason or follow-up; the rest is cut, with a mark.
pub const TEXT_BYTES: usize = 2 * 1024;
/// Warnings, and follow-up entries, that a run's summary keeps of each; the log keeps all.
pub const NOTES: usize = 200;
/// Targets that the result of a shadowed attempt names; what it would have done says all.
pub const SHADOWED_TARGETS: usize = 100;
/// Bytes of each of them.
pub const SHADOWED_TARGET_BYTES: usize = 256;
/// Steps that the reason of a `DEGRADED` run names; the report has all.
pub const NAMED_STEPS: usize = 5;
/// Bytes of a `parameters_schema` as compact JSON: the largest of the shipped playbooks has 2 KB.
pub const SCHEMA_BYTES: usize = 32 * 1024;
/// Levels of a `parameters_schema`, with its references followed.
pub const SCHEMA_DEPTH: usize = 32;
/// Subschemas of a `parameters_schema`.
pub const SCHEMA_PARTS: usize = 500;
/// Subschemas of a `parameters_schema` with its references followed: each costs a validator some 2 KB.
pub const SCHEMA_COST: u64 = 2_000;
/// Bytes of one compiled `pattern` of a `parameters_schema`.
pub const PATTERN_BYTES: usize = 1024 * 1024;
/// Subschemas times elements of an incident's variables up to which each fault is described: every description is kept in memory.
pub const DESCRIBED_CHECKS: u64 = 200_000;
/// Subschemas times elements of an incident's variables up to which they are checked: about a second.
pub const CHECKS_OF_VARIABLES: u64 = 20_000_000;
/// Faults of an incident's variables that are described.
pub const DESCRIBED_FAULTS: usize = 20;
/// Alternatives of an `anyOf` whose faults are described.
pub const DESCRIBED_ALTERNATIVES: usize = 5;
/// Bytes of an incoming message: a quarter of the 1 MiB that SQS carries, and far more than any incident has.
pub const MESSAGE_BYTES: usize = 256 * 1024;
/// Bytes of a rejected message that are kept in its run.
pub const REJECTED_BYTES: usize = 64 * 1024;
/// Events of one run: enough for 10,000 elements with a few events each.
pub const EVENTS: u64 = 200_000;
/// Commands of one run: enough for 10,000 elements with a few attempts each. A run whose steps trigger it again has to end by itself,
/// because on AWS every command is paid for.
pub const COMMANDS_PER_RUN: u64 = 50_000;
/// Events of one commit, so that a record stays far under 400 KB.
pub const EVENTS_PER_TURN: usize = 200;
/// Bytes of one commit's events after which the turn is cut; a wake-up continues it.
pub const TURN_BYTES: usize = 200 * 1024;
/// Incidents that one run records as joined.
pub const JOINED: usize = 1_000;
/// Runs of one playbook about one target that are counted together, so that their record stays small; the bound on repeated runs is at most one
/// more.
pub const REPEATED_RUNS: u32 = 100;
/// Bytes of a target's name in the reason of an escalation; the rest is cut, with a mark.
pub const TARGET_BYTES: usize = 256;
/// Runs that one incident starts for its tickets, one each: started within seconds, inside the time that a Lambda function has for a batch.
/// A further ticket is recorded as rejected.
pub const TICKET_RUNS: usize = 100;
/// Checks of one installation. The schedule runs once a minute and executes all of them concurrently.
pub const CHECKS: usize = 100;
/// Targets that one check remembers: with [`CHECK_TARGET_BYTES`] and some 200 bytes of counts each, under half of a `DynamoDB` item.
pub const CHECK_TARGETS: usize = 500;
/// Bytes of a target's id that are remembered as they are; a longer id is remembered by its hash.
pub const CHECK_TARGET_BYTES: usize = 128;
/// Incidents that one probe of one check raises. Further ones wait for the next probe, so that an incident storm is healed in portions.
pub const CHECK_RAISES: usize = 25;
/// Largest number of failing probes in a row that a check may require before it raises its incident.
pub const CHECK_FAILURES: u32 = 1_000;
/// Shortest interval between two probes of a check, in seconds: no burden to the probed service.
pub const CHECK_EVERY_SECONDS: u64 = 10;
/// Seconds of one probe: half of the schedule's minute, so that the other half is left to store and send.
pub const PROBE_SECONDS: u64 = 30;
/// Bytes of a text that a probe may expect in a response.
pub const PROBE_TEXT_BYTES: usize = 1_024;
