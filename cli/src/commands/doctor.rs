//! `heal doctor`: checks the configuration, and whether every service can be reached.

mod files;
mod findings;
mod services;
mod stack;
mod variables;

use findings::Findings;
use heal_clients::config::Env;

use crate::args::{GuardrailsFile, NotifyFile, PlaybookDir};
use crate::backend::{BackendArgs, BackendRef};
use crate::exit::Exit;
use crate::out;

const EXAMPLES: &str = "\
Examples:
  heal doctor
  heal doctor --offline            without any call
  heal doctor --json | jq '.configuration[] | select(.source == \"environment\")'";

/// Shows every configuration variable with its value, source and purpose, and tries every service
///
/// Also checks the playbooks and the guardrails, and whether the state file can be written or the stack's table and queues answer. Secrets are hidden. Exits
/// with 1 if it finds a fault.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub guardrails: GuardrailsFile,
    #[command(flatten)]
    pub notify: NotifyFile,
    #[command(flatten)]
    pub backend: BackendArgs,
    /// Do not try the services
    #[arg(long)]
    pub offline: bool,
    /// One JSON object instead of tables
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let backend = args.backend.resolve()?;
    let configuration = variables::list(&Env, &backend);
    let mut checks = files::playbooks(&args.playbooks.playbooks);
    checks.push(files::guardrails(args.guardrails.guardrails.as_deref(), &args.playbooks.playbooks));
    checks.push(files::notify(args.notify.notify.as_deref(), &args.playbooks.playbooks));
    match &backend {
        BackendRef::File(path) => {
            checks.push(files::state(path));
            checks.extend(files::descriptors());
        }
        BackendRef::Stack(stack) if !args.offline => checks.extend(stack::check(stack).await),
        BackendRef::Stack(_) => {}
    }
    checks.extend(Box::pin(services::check(args.offline)).await);
    let findings = Findings { configuration, checks };
    if args.json {
        out::json(&findings)?;
    } else {
        findings.lines().iter().try_for_each(out::line)?;
    }
    Ok(Exit::success_if(findings.ok()))
}
