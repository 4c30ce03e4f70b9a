//! Starts the run, follows it and ends the engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_clients::config::Env;
use heal_embedded::Store;
use heal_engine::RunId;
use heal_engine::event::RunStatus;
use heal_guard::Guardrails;
use heal_runtime::dispatcher::{Dispatcher, IntakeOutcome, Prepared};
use heal_runtime::library::Library;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy};
use heal_sandbox::Platform;

use super::args::Args;
use super::seed;
use crate::environment::Layered;
use crate::exit::Exit;
use crate::follow::{Follower, POLL};
use crate::local::{self, Engine};
use crate::show::Show;
use crate::signal::Signals;
use crate::{identity, sandbox, state};

/// Time for the loops to end after the run; they are idle by then.
const GRACE: Duration = Duration::from_secs(2);

pub(super) async fn perform(
    args: &Args,
    library: Arc<Library>,
    guardrails: Arc<Guardrails>,
    prepared: Prepared,
) -> anyhow::Result<Exit> {
    let mut signals = Signals::listen()?;
    let sandbox = start_sandbox(args, &prepared)?;
    let strings = Layered::new(sandbox.as_ref().map(|platform| sandbox::env(&platform.endpoints())), Env);
    let state = match &args.state {
        // An engine over the file would also go on with the runs in it.
        Some(path) if !args.dry_run => state::lock(path).await?,
        Some(_) | None => state::in_memory()?,
    };
    let ports = local::ports(&state.store).bounded_by(guardrails);
    let plan = std::iter::once(&*prepared.entry().plan);
    // A single run at a terminal has no metrics.
    let observer = heal_wiring::observe::Observer::new(&heal_telemetry::Metrics::silent(), [], []);
    let dispatcher = ports.dispatcher(library).gated_by(ports.gatekeeper(&strings, Arc::clone(&observer))?);
    let engine = Engine::start(&state.store, &ports, dispatcher.clone(), &strings, plan, Vec::new(), &observer).await?;
    let mut run_ids = Vec::new();
    let prepared = prepared.requested_by(Some(identity::local()));
    let prepared = if args.approve { prepared.looked_at() } else { prepared };
    runs_of(dispatcher.start(prepared, None).await?, &mut run_ids)?;
    let mut exit = Exit::Success;
    let mut left = run_ids.as_slice();
    while !left.is_empty() {
        exit = exit.worse(follow(args, &dispatcher, &state.store, left, &mut signals).await?);
        left = left.get(1..).unwrap_or_default();
    }
    engine.stop(GRACE).await;
    Ok(exit)
}

fn start_sandbox(args: &Args, prepared: &Prepared) -> anyhow::Result<Option<Platform>> {
    if !args.sandbox.sandbox {
        return Ok(None);
    }
    let seed = match &args.sandbox.sandbox_seed {
        Some(path) => sandbox::read_seed(path)?,
        None => seed::for_incident(prepared, &args.sandbox),
    };
    let config = sandbox::platform_config(seed, args.sandbox.like);
    Ok(Some(Platform::start(config).context("failed to start the sandbox")?))
}

/// The runs of the incident, in the order of its tickets: new ones, or existing ones.
fn runs_of(accepted: IntakeOutcome, run_ids: &mut Vec<RunId>) -> anyhow::Result<()> {
    match accepted {
        IntakeOutcome::Started { run_id, .. } => run_ids.push(run_id),
        IntakeOutcome::Known { run_id } => {
            crate::out::note(format_args!("this incident has a run already, which is continued or shown: {run_id}"));
            run_ids.push(run_id);
        }
        IntakeOutcome::Joined { run_id } => {
            crate::out::note(format_args!(
                "this incident joined the run of another one about the same target: {run_id}"
            ));
            run_ids.push(run_id);
        }
        // `Prepared::new` has already refused such a message.
        IntakeOutcome::Withdrawn { .. } => {
            anyhow::bail!("the message says that an alert is over, expected one that starts a run")
        }
        IntakeOutcome::PerTicket { outcomes } => {
            crate::out::note(format_args!("one run for each of several tickets, shown one after the other"));
            outcomes.into_iter().try_for_each(|outcome| runs_of(outcome, run_ids))?;
        }
        // Tickets beyond the limit; any other message was refused by `Prepared::new`.
        IntakeOutcome::Rejected { run_id, .. } => run_ids.push(run_id),
        IntakeOutcome::Ignored { reason } => anyhow::bail!(reason),
    }
    Ok(())
}

/// Shows the first of `run_ids` until it ends or awaits approval. A signal cancels all of them.
async fn follow(
    args: &Args,
    dispatcher: &Dispatcher,
    store: &Store,
    run_ids: &[RunId],
    signals: &mut Signals,
) -> anyhow::Result<Exit> {
    let Some(run_id) = run_ids.first() else { return Ok(Exit::Success) };
    let mut follower = Follower::new(dispatcher, Arc::new(store.clone()), run_id.clone()).await?;
    let mut show = Show::new(args.json, follower.plan.clone());
    let mut cancelled = false;
    loop {
        let (commits, status) = follower.new_commits().await?;
        for commit in commits {
            show.commit(commit)?;
        }
        if status.is_terminal() || (status == RunStatus::AwaitingApproval && follower.waits_for_people_only()?) {
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
                send_inputs(dispatcher, run_ids, |run_id| Inbound::Cancel { run_id, by: identity::local() }).await?;
            }
        }
    }
    if follower.status() == RunStatus::AwaitingApproval {
        show.note(&how_to_approve(run_id, &args.incident, args.state.as_deref(), follower.awaits_its_start()));
    }
    let report = follower.report()?;
    show.finish(&report)?;
    Ok(Exit::of_run(report.status, report.outcome))
}

async fn send_inputs(
    dispatcher: &Dispatcher,
    run_ids: &[RunId],
    input: impl Fn(RunId) -> Inbound,
) -> anyhow::Result<()> {
    for run_id in run_ids {
        let cause_id = format!("command-line:{:016x}", OsEntropy.next()?);
        dispatcher.receive(run_id, &cause_id, vec![input(run_id.clone())]).await?;
    }
    Ok(())
}

/// Another person approves: whoever starts a run may not.
fn how_to_approve(run_id: &RunId, incident: &Path, state: Option<&Path>, is_not_started: bool) -> String {
    let command = if is_not_started { "runs approve" } else { "approvals show" };
    match state {
        Some(state) => format!(
            "this run awaits the approval of another person: `heal {command} {run_id} --state {}`, then `heal run {} --state {0}` or \
             `heal serve` executes it",
            state.display(),
            incident.display()
        ),
        None if is_not_started => {
            "this run awaits the approval of another person; if only the incident asks for it, --approve says that you \
                                   have looked at it; --state FILE.db keeps the run until it is approved"
                .to_owned()
        }
        None => "a step awaits the approval of another person; --state FILE.db keeps the run until it is approved"
            .to_owned(),
    }
}
