//! How long effects go on after `heal halt --all`, under load: from the command's return to the last effect that the platform saw.
//!
//! `make bench-halt` builds everything and runs this; arguments: rounds, runs of a round. `STACK=1` uses the deployed template on a local AWS
//! instead of `heal serve`. Exits with 1 unless no effect came later than the bound in any round, 200 runs were in flight and every live one was held, and after the resumption
//! each run ended COMPLETED, with each of its effects exactly once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::print_stdout)]
#![expect(clippy::disallowed_methods, reason = "a benchmark reads its settings and the clock")]

mod home;
mod round;

use std::process::ExitCode;

use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{Platform, PlatformConfig, Seed};
use home::Home;
use round::{BOUND_MS, Round};
use serde_json::json;

#[tokio::main]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u32| arguments.next().map_or(otherwise, |text| text.parse().expect("a number"));
    let (rounds, runs) = (number(5), number(300));
    let is_stack = std::env::var("STACK").is_ok_and(|value| !value.is_empty());
    let platform = Platform::start(config(rounds, runs)).unwrap();
    let home = if is_stack { Home::deployed(platform).await } else { Home::serving(platform) };
    println!("{rounds} rounds of {runs} runs with 3 effects each, in {home}");
    let (mut longest_ms, mut is_good) = (0, true);
    for number in 0..rounds {
        let round = Round::play(&home, number, rounds, runs).await;
        println!("{round}");
        longest_ms = longest_ms.max(round.last_effect_ms);
        is_good &= round.is_good();
    }
    println!("last effect after the halt: p100 {longest_ms} ms of {rounds} halts, bound {BOUND_MS} ms");
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A ticket and a workflow for each run of each round.
fn config(rounds: u32, runs: u32) -> PlatformConfig {
    let targets = (0..rounds).flat_map(|round| (0..runs).map(move |run| format!("{round}-{run}")));
    let ticket = |id: &String| json!({"ticket_id": format!("ticket-{id}"), "status": "PENDING"});
    let workflow = |id: &String| json!({"workflow_id": format!("wf-{id}"), "state": "PAUSED"});
    let ids: Vec<String> = targets.collect();
    let seed = json!({
        "tickets": ids.iter().map(ticket).collect::<Vec<_>>(),
        "workflows": ids.iter().map(workflow).collect::<Vec<_>>(),
    });
    let opa = OpaConfig { policy: Some(heal_clients::policy::BUNDLED_POLICY.to_owned()), ..OpaConfig::default() };
    PlatformConfig { seed: Seed::from_json(&seed.to_string()).unwrap(), opa, ..PlatformConfig::default() }
}
