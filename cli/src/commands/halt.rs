//! `heal halt`: stops the engine, or a part of it, for a time.

use std::path::PathBuf;

use anyhow::bail;
use heal_engine::suggest;
use heal_guard::{Halt, HaltScope};
use heal_runtime::halts::{self, ID_PREFIX};
use heal_runtime::message::Inbound;
use heal_runtime::port::{Clock as _, Entropy as _, HALTS, OsEntropy, RunFilter, SystemClock};

use super::switch;
use crate::backend::{Backend, BackendArgs};
use crate::exit::Exit;
use crate::{actions, identity, moment, out, playbooks};

const EXAMPLES: &str = "\
Examples:
  heal halt --all --for 1h --reason 'deployment of the ticket service'
  heal halt --playbook worker_failure_recovery --for 30m --reason 'restarts make it worse' --stack prod
  heal halt --target worker-7 --for 2d --reason 'under repair'
  heal resume halt-0c9e41d2a7b3                           the halt's runs go on at once";

/// Number of newest runs whose playbooks `--playbook` may name, besides those of the folder.
const NEWEST_RUNS: usize = 200;

/// Stops changes by the engine until the halt ends or is resumed: everything, or one playbook, action, service or target
///
/// No change starts later than 2 seconds after the halt is stored. Runs under way are held: nothing is lost, and their time stands still. What
/// has started may end. When the halt ends, they go on with facts, conditions and policy read anew.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    scope: Scope,
    /// How long at most: `90s`, `15m`, `2h`, `7d`; 30 days at most
    #[arg(long = "for", value_name = "TIME")]
    length: String,
    /// Why, for whoever finds the runs held
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    backend: BackendArgs,
    /// Folder of the playbooks that `--playbook` may name, besides those of the newest runs
    #[arg(long, value_name = "DIR", default_value = "playbooks")]
    playbooks: PathBuf,
    /// On a stack: how long to wait until the halt is stored
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    within: u64,
}

/// What is halted: exactly one of these.
#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Scope {
    /// Every change by the engine
    #[arg(long)]
    all: bool,
    /// The runs of this playbook
    #[arg(long, value_name = "NAME")]
    playbook: Option<String>,
    /// This action, in every playbook
    #[arg(long, value_name = "NAME")]
    action: Option<String>,
    /// Every action that calls this service
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// Every change of this target, such as a ticket or a worker
    #[arg(long, value_name = "ID")]
    target: Option<String>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let now = SystemClock.now();
    let length_ms = moment::parse_length(&args.length).map_err(|wrong| anyhow::anyhow!("invalid --for: {wrong}"))?;
    let backend = Backend::open(&args.backend).await?;
    let halt = Halt {
        id: format!("{ID_PREFIX}{:012x}", OsEntropy.next()? >> 16),
        scope: scope(&args, &backend).await?,
        since: now,
        until: now.plus_ms(length_ms),
        reason: heal_engine::secret::hide_text(&args.reason).into_owned(),
        by: identity::local(),
        storm: None,
    };
    if let Err(invalid) = halts::check(&halt) {
        bail!("the halt is refused: {invalid}");
    }
    let id = halt.id.clone();
    let is_stored = match &backend {
        Backend::File { .. } => switch::done(backend.reader().halt(&halt).await?)?,
        Backend::Stack(stack) => {
            if switch::lasting(&backend).await?.len() >= HALTS {
                bail!("the halt is refused: {HALTS} halts last already, the limit; `heal halts` shows them");
            }
            switch::send(stack, Inbound::Halt(Box::new(halt.clone()))).await?;
            switch::await_change(&backend, args.within, |halts| halts.iter().any(|halt| halt.id == id)).await?
        }
    };
    if !is_stored {
        out::note(switch::not_yet("halt", &backend, args.within));
        return Ok(Exit::Failure);
    }
    let option = backend.option();
    out::line(format_args!("{id}: {} is halted until {}", halt.scope, moment::rfc3339(halt.until)))?;
    out::note(format_args!(
        "nothing new starts after 2 s, what has started may end; go on with `heal resume {id} {option}`"
    ));
    Ok(Exit::Success)
}

/// What the options name. A misspelled name would halt nothing, so it is an error.
async fn scope(args: &Args, backend: &Backend) -> anyhow::Result<HaltScope> {
    let Scope { all: _, playbook, action, service, target } = &args.scope;
    if let Some(name) = playbook {
        let known = known_playbooks(args, backend).await?;
        known_name("--playbook", "a playbook of the folder or of the newest runs", name, &known)?;
        return Ok(HaltScope::Playbook { name: name.clone() });
    }
    let catalog = actions::catalog();
    if let Some(name) = action {
        let known: Vec<_> = catalog.iter().map(|spec| spec.name.to_owned()).collect();
        known_name("--action", "an action", name, &known)?;
        return Ok(HaltScope::Action { name: name.clone() });
    }
    if let Some(name) = service {
        let known: Vec<_> = catalog.iter().map(|spec| spec.service.to_owned()).collect();
        known_name("--service", "a service of an action", name, &known)?;
        return Ok(HaltScope::Service { name: name.clone() });
    }
    Ok(target.clone().map_or(HaltScope::All, |name| HaltScope::Target { name }))
}

async fn known_playbooks(args: &Args, backend: &Backend) -> anyhow::Result<Vec<String>> {
    let page = backend.runs().list(&RunFilter::default(), NEWEST_RUNS, None).await?;
    let mut known: Vec<String> = page.runs.into_iter().filter_map(|head| head.playbook).collect();
    // A folder that cannot be read must not keep anybody from a halt.
    if let Ok(sources) = playbooks::read(std::slice::from_ref(&args.playbooks), &actions::catalog()) {
        known.extend(playbooks::playbooks(sources).map(|playbook| playbook.name));
    }
    Ok(known)
}

fn known_name(option: &str, what: &str, name: &str, known: &[String]) -> anyhow::Result<()> {
    if known.iter().any(|other| other == name) {
        return Ok(());
    }
    let mut names: Vec<&str> = known.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    let hint = match suggest::closest(name, names.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("known are {}", names.join(", ")),
    };
    bail!("{option}: `{}` is not {what}, so nothing would be halted; {hint}", out::text(name));
}

#[cfg(test)]
mod tests {
    use super::known_name;

    #[test]
    fn a_misspelled_name_is_refused_with_the_nearest_one() {
        let known = ["restart_pod".to_owned(), "pause_workflow".to_owned()];
        assert!(known_name("--action", "an action", "restart_pod", &known).is_ok());
        let error = known_name("--action", "an action", "restart_pods", &known).unwrap_err().to_string();
        let expected =
            "--action: `restart_pods` is not an action, so nothing would be halted; did you mean `restart_pod`?";
        assert_eq!(error, expected);
        let error = known_name("--action", "an action", "x", &known).unwrap_err().to_string();
        assert!(error.ends_with("known are pause_workflow, restart_pod"), "{error}");
    }
}
