//! `heal check run`: one probe of each check, against the configured services.

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use heal_clients::config::{Config, Env};
use heal_engine::check::{Check, Observation};
use heal_runtime::port::{Clock as _, Prober as _, SystemClock};
use heal_wiring::Clients;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::folders::Folders;
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal check run                       every check, once
  heal check run overdue_tickets       one of them
  heal check run --json | jq .failing";

/// Probes once and shows the result; counts nothing and raises no incident
///
/// Exits with 1 if a target is failing, or a probe had no result.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Names of checks; by default all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub folders: Folders,
    /// One JSON object a check
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut checks = args.folders.load()?;
    if let Some(name) = args.names.iter().find(|name| checks.iter().all(|check| check.name != **name)) {
        let known: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        bail!("there is no check `{name}`; known are: {}", known.join(", "));
    }
    checks.retain(|check| args.names.is_empty() || args.names.contains(&check.name));
    let config = Config::read(&Env).context("invalid configuration, `heal doctor` lists every variable")?;
    let prober = Clients::unshared(config).with_identity().await?.prober();
    let now = SystemClock.now();
    let observations = join_all(checks.iter().map(|check| prober.probe(&check.probe, now))).await;
    let mut all_ok = true;
    for (check, observation) in checks.iter().zip(&observations) {
        all_ok &= is_ok(observation);
        if args.json {
            out::json(&to_json(check, observation))?;
        } else {
            print(check, observation)?;
        }
    }
    Ok(Exit::success_if(all_ok))
}

fn is_ok(observation: &Observation) -> bool {
    match observation {
        Observation::Unknown { .. } => false,
        Observation::Seen(sighting) => sighting.failing.is_empty() && sighting.unknown.is_empty(),
    }
}

fn print(check: &Check, observation: &Observation) -> std::io::Result<()> {
    let name = &check.name;
    match observation {
        Observation::Unknown { reason } => out::line(format_args!("{} {name}  {}", "?".yellow(), out::text(reason))),
        Observation::Seen(_) if is_ok(observation) => out::line(format_args!("{} {name}", "✓".green())),
        Observation::Seen(sighting) => {
            for failing in &sighting.failing {
                out::line(format_args!("{} {name}  {}", "✗".red(), out::text(&failing.reason)))?;
            }
            for id in &sighting.unknown {
                out::line(format_args!("{} {name}  no result for {}", "?".yellow(), out::text(id)))?;
            }
            Ok(())
        }
    }
}

fn to_json(check: &Check, observation: &Observation) -> Value {
    match observation {
        Observation::Unknown { reason } => json!({"check": check.name, "unknown": reason}),
        Observation::Seen(sighting) => {
            let failing = sighting.failing.iter().map(|one| json!({"target": one.fields, "reason": one.reason}));
            json!({
                "check": check.name,
                "failing": failing.collect::<Vec<_>>(),
                "open": sighting.unknown,
                "partial": sighting.is_partial,
            })
        }
    }
}
