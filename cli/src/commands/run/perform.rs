//! The run itself: started, followed, ended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_clients::config::Env;
use heal_embedded::Store;
use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_runtime::dispatcher::{Dispatcher, IntakeOutcome, Prepared};
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy};
use heal_sandbox::Platform;

use super::{Args, seed};
use crate::commands::sandbox;
use crate::environment::Layered;
use crate::exit::Verdict;
use crate::follow::{Follower, POLL};
use crate::local::{self, Running};
use crate::show::Show;
use crate::signal::Signals;
use crate::state;

/// How long the loops may take to end once the run has: they are idle by then.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn perform(args: &Args, library: Arc<Library>, prepared: Prepared) -> anyhow::Result<Verdict> {
    let signals = Signals::listen().context("signals")?;
    let sandbox = sandbox_of(args, &prepared)?;
    let strings = Layered::new(sandbox.as_ref().map(|platform| sandbox::env(&platform.endpoints())), Env);
    let state = match &args.state {
        Some(path) => state::take(path).await?,
        None => state::in_memory()?,
    };
    let dispatcher = local::dispatcher(&state.store, library);
    let plan = std::iter::once(&*prepared.entry().plan);
    // One run at a terminal shows itself; nothing is counted.
    let observer = heal_wiring::observe::Observer::new(&heal_telemetry::Metrics::silent(), [], []);
    let running = Running::start(&state.store, dispatcher.clone(), &strings, plan, Vec::new(), &observer).await?;
    let run_id = start(&dispatcher, prepared).await?;
    if args.approve {
        tell(&dispatcher, &run_id, |run_id| Inbound::Approve { run_id, by: "heal run --approve".to_owned() }).await?;
    }
    let status = follow(args, &dispatcher, &state.store, &run_id, signals).await?;
    running.stop(GRACE).await;
    Ok(Verdict::of(status == RunStatus::Completed))
}

fn sandbox_of(args: &Args, prepared: &Prepared) -> anyhow::Result<Option<Platform>> {
    if !args.sandbox.sandbox {
        return Ok(None);
    }
    let seed = match &args.sandbox.sandbox_seed {
        Some(path) => sandbox::read_seed(path)?,
        None => seed::of(prepared.intake(), args.sandbox.healthy, args.sandbox.workflow_state),
    };
    Ok(Some(Platform::start(sandbox::platform_config(seed)).context("sandbox")?))
}

/// The run of the incident: a new one, or the one that it has already.
async fn start(dispatcher: &Dispatcher, prepared: Prepared) -> anyhow::Result<RunId> {
    match dispatcher.start(prepared, None).await? {
        IntakeOutcome::Started { run_id, .. } => Ok(run_id),
        IntakeOutcome::Known { run_id } => {
            crate::out::note(format_args!("this incident has a run already, which goes on or is shown: {run_id}"));
            Ok(run_id)
        }
        IntakeOutcome::Joined { run_id } => {
            crate::out::note(format_args!("another incident's run works on this: {run_id}"));
            Ok(run_id)
        }
        // Both were found out before anything was started.
        IntakeOutcome::Rejected { reason, .. } | IntakeOutcome::Ignored { reason } => anyhow::bail!(reason),
    }
}

/// Shows the run to its end, or to where only a person can help.
async fn follow(
    args: &Args,
    dispatcher: &Dispatcher,
    store: &Store,
    run_id: &RunId,
    mut signals: Signals,
) -> anyhow::Result<RunStatus> {
    let mut follower = Follower::new(dispatcher, Arc::new(store.clone()), run_id.clone()).await?;
    let mut show = Show::new(args.json, follower.plan.clone());
    let mut cancelled = false;
    loop {
        let (news, status) = follower.news().await?;
        for commit in news {
            show.commit(commit)?;
        }
        if status.is_terminal() || status == RunStatus::AwaitingApproval {
            break;
        }
        show.wait();
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = signals.next() => {
                if cancelled {
                    break;
                }
                cancelled = true;
                show.note("cancelled: what is in flight is waited for; Ctrl-C once more leaves at once");
                tell(dispatcher, run_id, |run_id| Inbound::Cancel { run_id, by: "Ctrl-C".to_owned() }).await?;
            }
        }
    }
    if follower.status() == RunStatus::AwaitingApproval {
        show.note(&how_to_approve(run_id, &args.incident, args.state.as_deref()));
    }
    show.finish(&follower.report()?)?;
    Ok(follower.status())
}

async fn tell(dispatcher: &Dispatcher, run_id: &RunId, what: impl Fn(RunId) -> Inbound) -> anyhow::Result<()> {
    let cause_id = format!("command-line:{:016x}", OsEntropy.next()?);
    dispatcher.receive(run_id, &cause_id, vec![what(run_id.clone())]).await?;
    Ok(())
}

fn how_to_approve(run_id: &RunId, incident: &Path, state: Option<&Path>) -> String {
    match state {
        Some(state) => format!(
            "this run awaits approval: `heal runs approve {run_id} --state {}`, then `heal run {} --state {0}` or `heal serve` carries it out",
            state.display(),
            incident.display()
        ),
        None => "this run awaits approval: give it beforehand with --approve, or keep the run with --state FILE.db"
            .to_owned(),
    }
}
