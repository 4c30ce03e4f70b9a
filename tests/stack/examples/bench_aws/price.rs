//! List prices in US dollars for us-east-1, from the pricing pages of the services in November 2026, without free tiers.

use heal_stack::meter::Counts;

use super::course::Asked;

/// A request unit of an on-demand table in the standard class, written and read (DynamoDB pricing).
const WRITE_UNIT: f64 = 0.625e-6;
const READ_UNIT: f64 = 0.125e-6;
/// A request of a standard queue (SQS pricing).
const SQS_REQUEST: f64 = 0.40e-6;
/// An invocation, and a gigabyte-second on x86 (Lambda pricing).
const INVOCATION: f64 = 0.20e-6;
const GIGABYTE_SECOND: f64 = 16.6667e-6;
/// A state transition of a standard workflow; a request and a gigabyte-second of an express one (Step Functions pricing).
const TRANSITION: f64 = 25.0e-6;
const EXPRESS_REQUEST: f64 = 1.0e-6;
const EXPRESS_GIGABYTE_SECOND: f64 = 16.67e-6;

/// The memory of a function, and the assumed billed time of an invocation: a warm one waits for two or three calls of a few
/// milliseconds each.
const MEMORY_GIGABYTES: f64 = 0.25;
const BILLED_SECONDS: f64 = 0.05;
/// The same tasks in Step Functions: one state per task, plus start and end. An express workflow is billed per 64 MB and 100 ms.
const TASKS: f64 = 4.0;
const EXPRESS_GIGABYTES: f64 = 0.0625;
const MILLION: f64 = 1e6;

/// A standard alarm and a dashboard, each for a month (CloudWatch pricing).
const ALARM: f64 = 0.10;
const DASHBOARD: f64 = 3.0;
/// Alarms and event source mappings of the template without its optional parts; `tests/template` counts them.
const ALARMS: f64 = 69.0;
const MAPPINGS: f64 = 20.0;
/// Lambda keeps five long polls of 20 seconds open for each mapping of a queue that is empty (Lambda Developer Guide, "Using Lambda with Amazon
/// SQS", scaling; SQS Developer Guide, "long polling").
const POLLERS: f64 = 5.0;
const POLL_SECONDS: f64 = 20.0;
const MONTH_SECONDS: f64 = 30.0 * 86_400.0;
/// The schedule's period.
const TICK_SECONDS: f64 = 60.0;

#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
pub(crate) fn print(name: &str, asked: &Asked, runs: u64) {
    let per_run = |number: u64| number as f64 / runs as f64;
    let table =
        per_run(asked.counts.write_units) * WRITE_UNIT + per_run(asked.counts.half_read_units) / 2.0 * READ_UNIT;
    let queues = per_run(asked.sqs_requests()) * SQS_REQUEST;
    let functions = per_run(asked.invocations) * (INVOCATION + BILLED_SECONDS * MEMORY_GIGABYTES * GIGABYTE_SECOND);
    let [table, queues, functions] = [table, queues, functions].map(|price| price * MILLION);
    println!(
        "  {name}: {:.2} = table {table:.2} (write units x {WRITE_UNIT:e} + read units x {READ_UNIT:e}) + queues {queues:.2} \
         (requests x {SQS_REQUEST:e}) + functions {functions:.2} (invocations x ({INVOCATION:e} + {BILLED_SECONDS} s x {MEMORY_GIGABYTES} GB x {GIGABYTE_SECOND:e}))",
        table + queues + functions
    );
}

/// `tick` is what one tick of the schedule asks for.
#[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
pub(crate) fn print_idle(tick: &Counts) {
    let alarms = ALARMS * ALARM + DASHBOARD;
    let polling = MAPPINGS * POLLERS * MONTH_SECONDS / POLL_SECONDS * SQS_REQUEST;
    let ticks = MONTH_SECONDS / TICK_SECONDS;
    let table = ticks * (tick.write_units as f64 * WRITE_UNIT + tick.half_read_units as f64 / 2.0 * READ_UNIT);
    let functions = ticks * (INVOCATION + BILLED_SECONDS * MEMORY_GIGABYTES * GIGABYTE_SECOND);
    println!(
        "  {:.2} = alarms and dashboard {alarms:.2} ({ALARMS} x {ALARM} + {DASHBOARD}) + polling {polling:.2} ({MAPPINGS} mappings x {POLLERS} polls \
         each {POLL_SECONDS} s) + checks {:.2} (each {TICK_SECONDS} s: write units {}, read units {}, one invocation)",
        alarms + polling + table + functions,
        table + functions,
        tick.write_units,
        tick.half_read_units as f64 / 2.0,
    );
}

/// The functions of the tasks cost the same in both: one invocation per task.
pub(crate) fn print_step_functions() {
    let tasks = TASKS * (INVOCATION + BILLED_SECONDS * MEMORY_GIGABYTES * GIGABYTE_SECOND);
    let standard = ((TASKS + 2.0) * TRANSITION + tasks) * MILLION;
    let express =
        (EXPRESS_REQUEST + TASKS * 2.0 * BILLED_SECONDS * EXPRESS_GIGABYTES * EXPRESS_GIGABYTE_SECOND + tasks)
            * MILLION;
    println!(
        "  Step Functions Standard: {standard:.2} = ({TASKS} tasks + start + end) x {TRANSITION:e} + {TASKS} invocations"
    );
    println!(
        "  Step Functions Express: {express:.2} = {EXPRESS_REQUEST:e} + {TASKS} tasks x {} s x {EXPRESS_GIGABYTES} GB x {EXPRESS_GIGABYTE_SECOND:e} + {TASKS} invocations; \
         at least once, and without a record, cooldowns, approval or claims, as Standard is",
        2.0 * BILLED_SECONDS
    );
}
