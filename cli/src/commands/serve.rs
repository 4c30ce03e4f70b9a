//! `heal serve`: the engine as a service over a state file.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use heal_api::Service;
use heal_clients::config::Env;
use heal_embedded::Store;
use heal_engine::check::Check;
use heal_engine::notice::Rules;
use heal_guard::Guardrails;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_telemetry::Telemetry;
use heal_telemetry::export::FLUSH_EVERY;
use heal_wiring::environment::{ENV_LISTEN, ENV_RUN_RETENTION_DAYS};
use heal_wiring::retention::{MAX_RUN_RETENTION_DAYS, RUN_RETENTION_DAYS};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::{CheckDir, GuardrailsFile, NotifyFile, PlaybookDir, StateFile};
use crate::exit::Exit;
use crate::local::{self, Engine};
use crate::{actions, checks, guardrails, notify, out, playbooks, signal, state};

/// Time for open requests to end after the signal to stop.
const REQUEST_GRACE: Duration = Duration::from_secs(10);
/// Time for attempts in flight to end after the signal to stop; the others are resumed at the next start.
const ATTEMPT_GRACE: Duration = Duration::from_secs(20);
/// How often expired rows are removed from the state file.
const GARBAGE_EVERY: Duration = Duration::from_hours(1);
const DAY_MS: u64 = 86_400_000;

const EXAMPLES: &str = "\
Examples:
  heal serve --state heal.db --playbooks playbooks --listen 127.0.0.1:8080
  curl -H 'content-type: application/json' -d @incident.json localhost:8080/api/v1/incidents
  curl localhost:8080/api/v1/playbooks
  curl localhost:8080/metrics
  heal runs list --state heal.db";

/// Serves the remediation API, and processes every incident
///
/// The scheduled checks run too, and raise incidents of their own. Everything accepted is on the disk before it is answered: the
/// process may be killed at any moment and resumes where it was.
/// SIGTERM and Ctrl-C end it once the work in flight has ended. A state file has one `heal serve` at a time; `heal runs` works beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub state: StateFile,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub checks: CheckDir,
    #[command(flatten)]
    pub guardrails: GuardrailsFile,
    #[command(flatten)]
    pub notify: NotifyFile,
    /// Address of the HTTP API; port 0 takes a free one
    #[arg(long, env = ENV_LISTEN, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Days after which an ended run is removed from the state file
    #[arg(long, env = ENV_RUN_RETENTION_DAYS, default_value_t = RUN_RETENTION_DAYS, value_name = "DAYS",
        value_parser = clap::value_parser!(u64).range(1..=MAX_RUN_RETENTION_DAYS))]
    pub keep_runs: u64,
}

pub(crate) async fn run(args: Args, telemetry: Telemetry) -> anyhow::Result<Exit> {
    let stop = signal::stop()?;
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    let checks = checks(&args, &library)?;
    let guardrails = guardrails(&args, &library)?;
    let rules = rules(&args, &library)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("failed to listen on {} (--listen)", args.listen))?;
    let address = listener.local_addr().context("failed to read the address of the HTTP API")?;
    let state = state::lock(&args.state.state).await?;
    let observer = local::observer(telemetry.metrics(), &library);
    observer.show_zeros();
    let ports = local::ports(&state.store).bounded_by(guardrails);
    let ports = if rules.channels.is_empty() { ports } else { ports.notifying() };
    let notifier = notify::notifier(&ports, rules, Arc::clone(&observer)).await?;
    let (stop_telling, telling_stops) = watch::channel(false);
    let telling = tokio::spawn(notifier.run(Arc::new(state.store.clone()), telling_stops));
    let gatekeeper = ports.gatekeeper(&Env, Arc::clone(&observer))?;
    let dispatcher = ports.dispatcher(Arc::clone(&library)).observed_by(observer.clone()).gated_by(gatekeeper);
    let plans = library.entries().map(|entry| &*entry.plan);
    let engine = Engine::start(&state.store, &ports, dispatcher.clone(), &Env, plans, checks, &observer).await?;
    let garbage = tokio::spawn(collect_garbage(state.store.clone(), args.keep_runs * DAY_MS));
    let flushing = tokio::spawn({
        let telemetry = telemetry.clone();
        async move { telemetry.flush_every(FLUSH_EVERY).await }
    });
    out::line(format_args!("http://{address}"))?;
    tracing::info!(%address, state = %args.state.state.display(), "serving");

    let service = Service {
        dispatcher,
        runs: ports.runs.clone(),
        due_runs: Arc::clone(&ports.due_runs),
        sender: Arc::clone(&ports.sender),
        telemetry: telemetry.clone(),
    };
    let served = serve(listener, service, stop).await;
    garbage.abort();
    if !engine.stop(ATTEMPT_GRACE).await {
        tracing::warn!("attempts were still in flight; they are resumed at the next start");
    }
    // Sending fails only if the notifier has already ended.
    let _ = stop_telling.send(true);
    if tokio::time::timeout(REQUEST_GRACE, telling).await.is_err() {
        tracing::warn!("notices were still being sent; they are sent at the next start");
    }
    flushing.abort();
    telemetry.flush().await;
    tracing::info!("stopped");
    served.context("the HTTP API failed").map(|()| Exit::Success)
}

/// The scheduled checks, if there is a folder of them.
fn checks(args: &Args, library: &Library) -> anyhow::Result<Vec<Check>> {
    match checks::folder(args.checks.checks.as_deref(), &args.playbooks.playbooks)? {
        Some(folder) => checks::load(&folder, &playbooks::playbooks_from(library)),
        None => Ok(Vec::new()),
    }
}

/// The guardrails that hold while this process lives, logged.
fn guardrails(args: &Args, library: &Library) -> anyhow::Result<Arc<Guardrails>> {
    let playbooks = playbooks::playbooks_from(library);
    let loaded = guardrails::load(args.guardrails.guardrails.as_deref(), &args.playbooks.playbooks, &playbooks)?;
    loaded.log();
    Ok(loaded.guardrails)
}

/// Who is told of what while this process lives, logged.
fn rules(args: &Args, library: &Library) -> anyhow::Result<Arc<Rules>> {
    notify::load(args.notify.notify.as_deref(), &args.playbooks.playbooks, &playbooks::playbooks_from(library))
}

/// Serves until `stop`, then until the open requests have ended or [`REQUEST_GRACE`] has passed.
async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) -> std::io::Result<()> {
    // Without this, small responses wait 40 ms for the client's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (stop_sender, stopping) = tokio::sync::watch::channel(false);
    let shutdown = move || {
        let mut stopping = stopping.clone();
        async move {
            // An error means that the sender is gone, which is a reason to stop too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        }
    };
    let server = axum::serve(listener, heal_api::router(service)).with_graceful_shutdown(shutdown());
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        served = &mut server => return served,
        () = stop => {}
    }
    tracing::info!("stopping");
    let _ = stop_sender.send(true);
    tokio::time::timeout(REQUEST_GRACE, server).await.unwrap_or(Ok(()))
}

async fn collect_garbage(store: Store, keep_runs_ms: u64) {
    loop {
        match store.collect_garbage(SystemClock.now(), keep_runs_ms).await {
            Ok(collected) => tracing::debug!(?collected, "removed expired rows"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "failed to remove expired rows"),
        }
        tokio::time::sleep(GARBAGE_EVERY).await;
    }
}
