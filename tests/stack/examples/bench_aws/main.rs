//! The cost of a run on AWS: the requests of the deployed functions, counted on a local AWS, their list price compared with
//! Step Functions for the same tasks, and the start-up time of each function.
//!
//! `make bench-aws` builds the functions and runs this.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads its settings and the clock")]

mod course;
mod price;
mod starts;

use course::Course;

/// The number of incidents sent at once.
const MANY: u64 = 1_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        starts::print().await;
        let course = tokio::task::spawn_blocking(Course::start).await.unwrap();
        let warm_up = course.one("FOUR_STEPS", 0).await;
        println!("\nrequests, functions cold: one run of 4 steps, one message at a time\n  {warm_up}");
        let four = course.one("FOUR_STEPS", 1).await;
        println!("\nrequests, functions warm: one run of 4 steps, one message at a time\n  {four}");
        let many_steps = course.one("FOUR_HUNDRED_STEPS", 2).await;
        println!(
            "\nrequests: one run of 400 steps\n  {many_steps}\n  a step of it, against a step of 4: {}",
            many_steps.per_step(400, &four, 4)
        );
        let many = course.many("FOUR_STEPS", MANY).await;
        println!("\nrequests: {MANY} runs of 4 steps at once, batched, all of them together\n  {many}");
        let tick = course.idle_tick().await;
        println!("\nlist price of a million incidents of 4 steps");
        price::print("one at a time", &four, 1);
        price::print("1,000 at once", &many, MANY);
        price::print_step_functions();
        println!("\nlist price of a month of 30 days with nothing to do");
        price::print_idle(&tick);
    });
}
