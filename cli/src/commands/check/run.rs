//! `heal check run`: a look by hand, at the services that are configured.

use anyhow::{Context as _, bail};
use futures_util::future::join_all;
use heal_clients::Wiring;
use heal_clients::checks::Prober;
use heal_clients::config::{Config, Env};
use heal_engine::check::{Check, Observation};
use heal_runtime::port::{Clock as _, Prober as _, SystemClock};
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::Folders;
use crate::exit::Verdict;
use crate::{actions, out};

const EXAMPLES: &str = "\
Examples:
  heal check run                       every check, once
  heal check run overdue_tickets       one of them
  heal check run --json | jq .failing";

/// Looks once and says what is seen; it counts nothing and raises nothing
///
/// Exits with 1 where something is not well, or a look could tell nothing.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// Names of checks; without them, all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    #[command(flatten)]
    pub folders: Folders,
    /// One JSON object a check
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Verdict> {
    let mut checks = args.folders.load()?;
    if let Some(name) = args.names.iter().find(|name| checks.iter().all(|check| check.name != **name)) {
        let known: Vec<_> = checks.iter().map(|check| check.name.as_str()).collect();
        bail!("there is no check `{name}`; known are: {}", known.join(", "));
    }
    checks.retain(|check| args.names.is_empty() || args.names.contains(&check.name));
    let config = Config::read(&Env).context("configuration")?;
    let wiring = Wiring { identity: actions::identity(&config).await?, ..Wiring::default() };
    let prober = Prober::new(&config, &wiring);
    let now = SystemClock.now();
    let seen = join_all(checks.iter().map(|check| prober.probe(&check.probe, now))).await;
    let mut all_well = true;
    for (check, observation) in checks.iter().zip(&seen) {
        all_well &= is_well(observation);
        if args.json {
            out::json(&to_json(check, observation))?;
        } else {
            print(check, observation)?;
        }
    }
    Ok(Verdict::of(all_well))
}

fn is_well(observation: &Observation) -> bool {
    match observation {
        Observation::Unknown { .. } => false,
        Observation::Seen(sighting) => sighting.failing.is_empty() && sighting.unknown.is_empty(),
    }
}

fn print(check: &Check, observation: &Observation) -> std::io::Result<()> {
    let name = &check.name;
    match observation {
        Observation::Unknown { reason } => out::line(format_args!("{} {name}  {}", "?".yellow(), out::text(reason))),
        Observation::Seen(_) if is_well(observation) => out::line(format_args!("{} {name}", "✓".green())),
        Observation::Seen(sighting) => {
            for failing in &sighting.failing {
                out::line(format_args!("{} {name}  {}", "✗".red(), out::text(&failing.reason)))?;
            }
            for id in &sighting.unknown {
                out::line(format_args!("{} {name}  nothing can be told of {}", "?".yellow(), out::text(id)))?;
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
