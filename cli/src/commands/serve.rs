//! `heal serve`: the embedded service.

use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::serve::ListenerExt as _;
use heal_clients::config::Env;
use heal_embedded::Store;
use heal_engine::check::Check;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_telemetry::Telemetry;
use heal_telemetry::export::FLUSH_EVERY;
use tokio::net::TcpListener;

use crate::api::{self, Service};
use crate::args::{CheckDir, PlaybookDir, StateFile};
use crate::commands::check;
use crate::exit::Verdict;
use crate::local::{self, Running};
use crate::{actions, checks, out, playbooks, signal, state};

/// How long open requests may take after the word to stop.
const REQUEST_GRACE: Duration = Duration::from_secs(10);
/// How long attempts in flight may take after the word to stop; what is left goes on at the next start.
const ATTEMPT_GRACE: Duration = Duration::from_secs(20);
/// How often rows that are over are removed from the state file.
const GARBAGE_EVERY: Duration = Duration::from_hours(1);
const DAY_MS: u64 = 86_400_000;

const EXAMPLES: &str = "\
Examples:
  heal serve --state heal.db --playbooks playbooks --listen 127.0.0.1:8080
  curl -H 'content-type: application/json' -d @incident.json localhost:8080/api/v1/incidents
  curl localhost:8080/api/v1/playbooks
  curl localhost:8080/metrics
  heal runs list --state heal.db";

/// Serves the remediation API, and carries out what comes in
///
/// The scheduled checks look meanwhile, and raise incidents of their own. Everything accepted is on the disk before it is answered: the
/// process may be killed at any moment and goes on where it stood.
/// SIGTERM and Ctrl-C end it after what is in flight. A state file has one `heal serve` at a time; `heal runs` works beside it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub state: StateFile,
    #[command(flatten)]
    pub playbooks: PlaybookDir,
    #[command(flatten)]
    pub checks: CheckDir,
    /// Address of the HTTP API; port 0 takes a free one
    #[arg(long, env = "HEAL_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// Days after which an ended run is removed from the state file
    #[arg(long, default_value_t = 30, value_name = "DAYS")]
    pub keep_runs: u32,
}

pub(crate) async fn run(args: Args, telemetry: Telemetry) -> anyhow::Result<Verdict> {
    let stop = signal::stop().context("signals")?;
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    let checks = checks(&args, &library)?;
    let listener = TcpListener::bind(args.listen).await.with_context(|| format!("--listen {}", args.listen))?;
    let address = listener.local_addr().context("--listen")?;
    let state = state::take(&args.state.state).await?;
    let observer = local::observer(telemetry.metrics(), &library);
    observer.show_zeros();
    let dispatcher = local::dispatcher(&state.store, Arc::clone(&library)).observed_by(observer.clone());
    let plans = library.entries().map(|entry| &*entry.plan);
    let running = Running::start(&state.store, dispatcher.clone(), &Env, plans, checks, &observer).await?;
    let garbage = tokio::spawn(collect_garbage(state.store.clone(), u64::from(args.keep_runs) * DAY_MS));
    let flushing = tokio::spawn({
        let telemetry = telemetry.clone();
        async move { telemetry.flush_every(FLUSH_EVERY).await }
    });
    out::line(format_args!("http://{address}"))?;
    tracing::info!(%address, state = %args.state.state.display(), "serving");

    let service = Service { dispatcher, store: state.store.clone(), telemetry: telemetry.clone() };
    let served = serve(listener, service, stop).await;
    garbage.abort();
    if !running.stop(ATTEMPT_GRACE).await {
        tracing::warn!("attempts were still in flight; they go on at the next start");
    }
    flushing.abort();
    telemetry.flush().await;
    tracing::info!("stopped");
    served.context("HTTP").map(|()| Verdict::Done)
}

/// The scheduled checks, if there are some.
fn checks(args: &Args, library: &Library) -> anyhow::Result<Vec<Check>> {
    match checks::folder(args.checks.checks.as_deref(), &args.playbooks.playbooks)? {
        Some(folder) => checks::load(&folder, &check::of(library)),
        None => Ok(Vec::new()),
    }
}

/// Until `stop`, and then until the open requests are answered or their time is over.
async fn serve(listener: TcpListener, service: Service, stop: impl Future<Output = ()>) -> std::io::Result<()> {
    // Small answers would wait 40 ms for the other side's acknowledgement.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    let (begin, begun) = tokio::sync::watch::channel(false);
    let asked = move || {
        let mut begun = begun.clone();
        async move {
            // An error means that the other side is gone, and then it is time to go too.
            let _ = begun.wait_for(|begun| *begun).await;
        }
    };
    let server = axum::serve(listener, api::router(service)).with_graceful_shutdown(asked());
    let mut server = std::pin::pin!(server.into_future());
    tokio::select! {
        served = &mut server => return served,
        () = stop => {}
    }
    tracing::info!("stopping");
    let _ = begin.send(true);
    tokio::time::timeout(REQUEST_GRACE, server).await.unwrap_or(Ok(()))
}

async fn collect_garbage(store: Store, keep_runs_ms: u64) {
    loop {
        match store.collect_garbage(SystemClock.now(), keep_runs_ms).await {
            Ok(collected) => tracing::debug!(?collected, "removed what is over"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "what is over was not removed"),
        }
        tokio::time::sleep(GARBAGE_EVERY).await;
    }
}
