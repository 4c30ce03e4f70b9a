//! `heal doctor`: is everything configured, and within reach?

mod files;
mod print;
mod services;
mod stack;

use heal_clients::config::{Env, Setting, describe};
use serde::Serialize;

use crate::args::PlaybookDir;
use crate::exit::Verdict;
use crate::out;
use crate::place::{Choice, PlaceArgs};

const EXAMPLES: &str = "\
Examples:
  heal doctor
  heal doctor --offline            only what can be said without a call
  heal doctor --json | jq '.configuration[] | select(.source == \"environment\")'";

/// Shows every configuration variable with its value, source and purpose, and tries every service
///
/// Also checks the playbooks, and whether the state file can be written or the stack's table and queues answer. Secrets are hidden. Exits with 1 where something is wrong.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Do not try the services
    #[arg(long)]
    pub offline: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Everything that was found.
#[derive(Debug, Serialize)]
struct Findings {
    configuration: Vec<Variable>,
    checks: Vec<Check>,
}

#[derive(Debug, Serialize)]
struct Variable {
    name: &'static str,
    value: Option<String>,
    source: String,
    purpose: &'static str,
    problem: Option<String>,
}

/// One thing that was tried.
#[derive(Debug, Serialize)]
struct Check {
    what: &'static str,
    /// What it is about: a file, an address.
    subject: String,
    well: bool,
    /// How it stands, or what is wrong.
    said: String,
}

impl Check {
    fn new(what: &'static str, subject: impl Into<String>, result: Result<String, String>) -> Self {
        let (well, said) = match result {
            Ok(said) => (true, said),
            Err(said) => (false, said),
        };
        Self { what, subject: subject.into(), well, said }
    }
}

impl Findings {
    fn well(&self) -> bool {
        self.checks.iter().all(|check| check.well) && self.configuration.iter().all(|it| it.problem.is_none())
    }
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let choice = args.place.choose()?;
    let mut configuration: Vec<_> = describe(&Env).into_iter().map(Into::into).collect();
    configuration.extend(stack::variables(&choice));
    let mut checks = files::playbooks(&args.playbooks.playbooks);
    match &choice {
        Choice::File(path) => checks.push(files::state(path)),
        Choice::Stack(site) if !args.offline => checks.extend(stack::check(site).await),
        Choice::Stack(_) => {}
    }
    checks.extend(Box::pin(services::check(args.offline)).await);
    let findings = Findings { configuration, checks };
    if args.json {
        out::json(&findings)?;
    } else {
        print::lines(&findings).iter().try_for_each(out::line)?;
    }
    Ok(Verdict::of(findings.well()))
}

impl From<Setting> for Variable {
    fn from(setting: Setting) -> Self {
        let Setting { name, value, source, purpose, problem } = setting;
        Self { name, value, source: source.to_string(), purpose, problem }
    }
}
