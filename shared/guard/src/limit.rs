//! Every bound of the guardrails, with its unit and the reason for its value.

use heal_engine::limit::DURATION_SECONDS;

/// Seconds of the longest cooldown or window: one day. What is rarer than once a day is a person's decision.
pub const WINDOW_SECONDS: u64 = DURATION_SECONDS;
/// Effects that a budget may allow in one window: the store keeps the time of each in one row, and `DynamoDB`'s rows have at most 400 KB.
pub const BUDGET_MAX: u32 = 1_000;
/// Budgets of one file: people have to keep them in mind.
pub const BUDGETS: usize = 50;
/// Budgets that can count one effect: each is a row in the same atomic write, and a `DynamoDB` transaction has at most 100 rows for a batch of
/// targets.
pub const BUDGETS_PER_EFFECT: usize = 5;
/// Names in one list of a budget: actions, playbooks or services.
pub const NAMES: usize = 50;
/// The smallest `escalate_at`: the first run of a remedy is no repetition.
pub const REPEATS_LEAST: u32 = 2;
/// The largest `escalate_at`. A row keeps the id of each run that it counts.
pub const REPEATS: u32 = 100;
/// Seconds of the shortest window of repeats: a shorter one ends before a run does, and would count nothing.
pub const REPEATS_WINDOW_LEAST_SECONDS: u64 = 60;
/// Runs that a bound may let be live at the same time: each check of a bound counts them one by one.
pub const LIVE_MAX: u32 = 1_000;
/// Playbooks, or services, that have a bound of their own on live runs.
pub const LIVE_NAMES: usize = 100;
/// The largest share of a population, in percent.
pub const PERCENT: u32 = 100;
/// Windows of one file: people have to keep them in mind.
pub const WINDOWS: usize = 50;
/// Bytes of a window's reason.
pub const REASON_BYTES: usize = 500;
/// Rules of scope of one file.
pub const SCOPE_RULES: usize = 50;
/// Bytes of a mark, `KEY=VALUE`: a label of Kubernetes has at most 253 + 1 + 63 bytes in its key and 63 in its value.
pub const MARK_BYTES: usize = 512;
/// The fewest runs that a demotion is decided by: fewer say nothing.
pub const DEMOTE_LEAST: u32 = 3;
/// The most runs that a demotion is decided by: they are in one page of the index.
pub const DEMOTE_MOST: u32 = 50;
/// Earlier levels that are kept beside the stored one of a playbook.
pub const AUTONOMY_HISTORY: usize = 20;
/// The smallest number of targets that is a storm: a single one is none.
pub const STORM_TARGETS_LEAST: u32 = 2;
/// The largest number of targets that a storm needs: each process keeps them in memory.
pub const STORM_TARGETS: u32 = 1_000;
/// Effects of a trickle in one window.
pub const STORM_TRICKLE: u32 = 100;
/// Seconds of the shortest window of a storm: processes read each other's runs every 2 s.
pub const STORM_WINDOW_LEAST_SECONDS: u64 = 10;
/// Seconds of the longest window and of the longest quiet period: one hour. A longer one would hold healing long after the storm.
pub const STORM_WINDOW_SECONDS: u64 = 3_600;
/// Seconds of the longest storm, 6 hours: it ends even if new targets keep coming, so that nothing is held for ever.
pub const STORM_SECONDS: u64 = 21_600;
/// Dependencies of one file: each is read at every sweep.
pub const DEPENDENCIES: usize = 20;
/// Groups of approvers.
pub const GROUPS: usize = 50;
/// Members of one group.
pub const MEMBERS: usize = 100;
/// Bytes of an identity, `KIND:` included: the longest SQS `SenderId`, a role's id with a session's name, has about 90.
pub const IDENTITY_BYTES: usize = 256;
