//! Runs `heal serve` and Restate alternately on the same work, and prints what each took. `scripts/bench-peers.sh` builds and starts it.
//!
//! Arguments: the programs of heal, Restate's server, its service and the bare loop; a folder on the disk to be measured; rounds; runs at 1 and at 64 at once.
//! With `grow` or `alone`, heal alone: [`grow`], [`alone`].

mod alone;
mod grow;
mod load;
mod peer;
mod process;
mod report;
mod tickets;

use std::path::Path;
use std::sync::Arc;

use peer::{Kind, Peer, Programs};
use process::Syncs;
use report::Measured;
use tickets::Tickets;

/// Runs before anything is counted: connections, caches and the plan.
const WARM_UP: usize = 200;
const MANY: usize = 64;
const USAGE: &str = "usage: peers HEAL RESTATE SERVICE BARE FOLDER ROUNDS RUNS_AT_1 RUNS_AT_64 | grow HEAL FOLDER RUNS | alone HEAL FOLDER RUNS AT_ONCE [STATE]";

/// What a round does.
struct Plan {
    /// Runs one at a time.
    one: usize,
    /// Runs 64 at a time.
    many: usize,
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<usize>().map_err(|_| format!("\"{text}\" is not a number"));
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().map_err(|error| error.to_string())?;
    let [heal, restate, service, bare, folder, rounds, one, many] = arguments.as_slice() else {
        return match arguments.as_slice() {
            [what, heal, folder, runs] if what == "grow" => {
                grow::measure(heal, Path::new(folder), number(runs)?, &http).await
            }
            [what, heal, folder, runs, at_once, state @ ..] if what == "alone" && state.len() < 2 => {
                let folders = (Path::new(folder), state.first().map(Path::new));
                alone::serve(heal, folders, (number(runs)?, number(at_once)?), &http).await
            }
            _ => Err(USAGE.to_owned()),
        };
    };
    let (rounds, plan) = (number(rounds)?, Plan { one: number(one)?, many: number(many)? });
    let programs =
        Programs { heal: heal.clone(), restate: restate.clone(), service: service.clone(), bare: bare.clone() };
    let tickets = Tickets::start().await.map_err(|error| error.to_string())?;
    let mut measured: Vec<(Kind, Measured)> = Vec::new();
    for round in 1..=rounds {
        for kind in Kind::ALL {
            eprintln!("round {round} of {rounds}: {}", kind.name());
            let peer = Peer::start(kind, &programs, &tickets.url, Path::new(folder), &http).await?;
            let found = measure(Arc::new(peer), &plan, &tickets, &http).await?;
            eprintln!("  {}", found.line());
            measured.push((kind, found));
        }
    }
    report::print(&measured);
    Ok(())
}

async fn measure(peer: Arc<Peer>, plan: &Plan, tickets: &Tickets, http: &reqwest::Client) -> Result<Measured, String> {
    load::drive(&peer, http, ("warm", 8, WARM_UP)).await?;
    let (calls, before) = (tickets.calls(), peer.usage());
    let syncs = Syncs::count(&peer.ids());
    let one = load::drive(&peer, http, ("one", 1, plan.one)).await?;
    let syncs = syncs.end().await.map(|syncs| syncs / plan.one as f64);
    let between = peer.usage();
    let many = load::drive(&peer, http, ("many", MANY, plan.many)).await?;
    let after = peer.usage();
    let per_run = |before: f64, after: f64, runs: usize| (after - before) / runs as f64;
    let found = Measured {
        calls: (tickets.calls() - calls) as f64 / (plan.one + plan.many) as f64,
        syncs,
        written_one_kb: per_run(before.written_kb, between.written_kb, plan.one),
        written_many_kb: per_run(between.written_kb, after.written_kb, plan.many),
        cpu_one_ms: per_run(before.cpu_ms, between.cpu_ms, plan.one),
        cpu_many_ms: per_run(between.cpu_ms, after.cpu_ms, plan.many),
        switches_one: per_run(before.switches, between.switches, plan.one),
        switches_many: per_run(between.switches, after.switches, plan.many),
        resident_mb: after.resident_mb,
        one,
        many,
    };
    if let Some(peer) = Arc::into_inner(peer) {
        drop(peer.end().await);
    }
    Ok(found)
}
