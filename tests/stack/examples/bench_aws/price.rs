//! List prices in US dollars for us-east-1, from the pricing pages of the services in November 2026, without free tiers.

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
