//! What a run of four changing steps writes to the disk, one run at a time and 64 at a time.
//!
//! `cargo run -p heal-embedded --example written [RUNS]`. The bytes are those that the system counts for this process (`write_bytes` of
//! `/proc/self/io`): the log, its checkpoints into the file, and the record of messages in hand. They hardly depend on how the program was built.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_precision_loss
)]

#[path = "../benches/embedded/course.rs"]
#[allow(dead_code, reason = "shared with the benchmarks, which use the rest")]
mod course;

use course::Course;
use serde_json::json;

/// Runs that are counted at each number at once.
const RUNS: usize = 1_000;
/// Steps of a run, one after another.
const STEPS: usize = 4;

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() {
    let runs = std::env::args().nth(1).map_or(RUNS, |text| text.parse().expect("a number of runs"));
    println!("{STEPS} changing steps a run, {runs} runs each, WAL, synchronous=FULL");
    let course = Course::new(&json!(course::sequence(STEPS)));
    course.heal(1, json!({})).await;
    for at_once in [1, 64] {
        let before = written_bytes();
        let took = course.heal_at_once(at_once, runs).await;
        let kilobytes = (written_bytes() - before) as f64 / 1_024.0 / runs as f64;
        let rate = runs as f64 / took.as_secs_f64();
        println!("{at_once:>3} at once: {kilobytes:>7.1} KB written a run, {rate:>6.0} runs/s");
    }
    course.end().await;
}

/// Bytes that this process has sent to the disk.
fn written_bytes() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").expect("Linux counts what a process writes");
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.expect("write_bytes").parse().expect("a number of bytes")
}
