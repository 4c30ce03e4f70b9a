//! What the embedded engine carries: runs per second, and what a step costs as runs and fan-outs grow.
//!
//! A plain program, not a statistics harness: each number is of one course of many runs on a database on disk with `synchronous=FULL`, and the
//! ratios between numbers of one course are what can be relied on. `make bench` runs it; `BENCH_RUNS=n` changes how many runs the first part takes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

#[path = "embedded/course.rs"]
#[expect(dead_code, reason = "the example `written` calls the rest")]
mod course;

use course::Course;
use serde_json::json;

/// Runs of the throughput part.
const RUNS: usize = 5_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    println!(
        "embedded engine, {cores} cores, database on disk, WAL, synchronous=FULL, group commit; actions that do nothing"
    );
    runtime.block_on(async {
        throughput().await;
        growth().await;
        fan_out().await;
    });
}

async fn throughput() {
    #[expect(clippy::disallowed_methods, reason = "a benchmark reads its settings")]
    let runs = std::env::var("BENCH_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(RUNS);
    let course = Course::new(&json!(course::sequence(4)));
    let took = course.heal(runs, json!({})).await;
    let seconds = took.as_secs_f64();
    println!("\nthroughput: {runs} runs of 4 steps in {seconds:.2} s = {:.0} runs/s", runs as f64 / seconds);
    course.end().await;
}

async fn growth() {
    println!("\none run at a time, steps one after another:");
    println!("{:>8} {:>12} {:>16} {:>14}", "steps", "runs", "ms per step", "bytes per step");
    let mut first: Option<(f64, f64)> = None;
    for (steps, runs) in [(4, 50), (100, 4), (1_000, 2)] {
        let course = Course::new(&json!(course::sequence(steps)));
        course.heal(1, json!({})).await;
        let before = course.bytes().await;
        let mut seconds = 0.0;
        for _ in 0..runs {
            seconds += course.heal(1, json!({})).await.as_secs_f64();
        }
        let per_step = |total: f64| total / (steps * runs) as f64;
        let (ms, bytes) = (per_step(seconds * 1_000.0), per_step((course.bytes().await - before) as f64));
        let (first_ms, first_bytes) = *first.get_or_insert((ms, bytes));
        println!("{steps:>8} {runs:>12} {ms:>9.2} (x{:.2}) {bytes:>8.0} (x{:.2})", ms / first_ms, bytes / first_bytes);
        course.end().await;
    }
}

async fn fan_out() {
    println!("\nfor_each, 10 at a time:");
    println!("{:>8} {:>16} {:>14}", "items", "ms per item", "bytes per item");
    let mut first: Option<(f64, f64)> = None;
    for (items, runs) in [(1, 200), (50, 4), (500, 2), (5_000, 1)] {
        let course = Course::new(&json!([course::fan(10)]));
        let list: Vec<_> = (0..items).map(|index| format!("ticket-{index}")).collect();
        course.heal(1, json!({"tickets": ["warm-up"]})).await;
        let before = course.bytes().await;
        let mut seconds = 0.0;
        for _ in 0..runs {
            seconds += course.heal(1, json!({ "tickets": list })).await.as_secs_f64();
        }
        let per_item = |total: f64| total / f64::from(items * runs);
        let (ms, bytes) = (per_item(seconds * 1_000.0), per_item((course.bytes().await - before) as f64));
        let (first_ms, first_bytes) = *first.get_or_insert((ms, bytes));
        println!("{items:>8} {ms:>9.2} (x{:.2}) {bytes:>8.0} (x{:.2})", ms / first_ms, bytes / first_bytes);
        course.end().await;
    }
}
