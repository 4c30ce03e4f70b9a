//! `heal serve`: the engine as a service over a state file.

mod sandbox;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use heal_api::changes::Direct;
use heal_api::doors::{Doors, Parts};
use heal_api::server::{self, Descriptors, Limits, OWN_DESCRIPTORS};
use heal_api::{ApprovalLinks, Hooked, Service, Waiting};
use heal_embedded::Store;
use heal_engine::check::Check;
use heal_engine::notice::Rules;
use heal_guard::Guardrails;
use heal_hooks::{Hooks, Verifier};
use heal_runtime::audit::HeadLog;
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::library::Library;
use heal_runtime::port::{Clock as _, OsEntropy, SystemClock};
use heal_telemetry::Telemetry;
use heal_telemetry::export::FLUSH_EVERY;
use heal_wiring::Ports;
use heal_wiring::environment::{ENV_API, ENV_LISTEN, ENV_RUN_RETENTION_DAYS};
use heal_wiring::notify::{Links, links_of_env};
use heal_wiring::retention::{MAX_RUN_RETENTION_DAYS, RUN_RETENTION_DAYS};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::args::{CheckDir, GuardrailsFile, HooksFile, NotifyFile, PlaybookDir, StateFile};
use crate::exit::Exit;
use crate::local::{self, Engine};
use crate::{access, actions, checks, guardrails, hooks, notify, out, playbooks, signal};

/// Time for open requests to end after the signal to stop.
const REQUEST_GRACE: Duration = Duration::from_secs(10);
/// Time for attempts in flight to end after the signal to stop; the others are resumed at the next start.
const ATTEMPT_GRACE: Duration = Duration::from_secs(20);
/// How often expired rows are removed from the state file, and the head of the last day is logged if it is not yet.
const HOUSEKEEPING_EVERY: Duration = Duration::from_hours(1);
/// Longest time for the head of a day. It only reads, and nothing waits for it.
const HEAD_TIME: Duration = Duration::from_mins(10);
/// How often a run's head is read while a reader of the API waits for news, since another process may have written it.
const POLL: Duration = Duration::from_secs(1);
const DAY_MS: u64 = 86_400_000;

const EXAMPLES: &str = "\
Examples:
  heal serve --sandbox                                  try it: stand-in services, and a console in the browser
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
    pub hooks: HooksFile,
    #[command(flatten)]
    pub notify: NotifyFile,
    /// Address of the HTTP API; port 0 takes a free one
    #[arg(long, env = ENV_LISTEN, default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,
    /// File of the API's identities and host names; without one, everybody on this machine may do everything (docs/access.md)
    #[arg(long, env = ENV_API, value_name = "FILE")]
    pub api: Option<PathBuf>,
    /// Days after which an ended run is removed from the state file
    #[arg(long, env = ENV_RUN_RETENTION_DAYS, default_value_t = RUN_RETENTION_DAYS, value_name = "DAYS",
        value_parser = clap::value_parser!(u64).range(1..=MAX_RUN_RETENTION_DAYS))]
    pub keep_runs: u64,
    #[command(flatten)]
    sandbox: sandbox::SandboxArgs,
}

pub(crate) async fn run(args: Args, telemetry: Telemetry) -> anyhow::Result<Exit> {
    let stop = signal::stop()?;
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    let checks = checks(&args, &library)?;
    let guardrails = guardrails(&args, &library)?;
    let (_platform, strings) = args.sandbox.start()?;
    let known = playbooks::playbooks_from(&library);
    let hooks = hooks::load(args.hooks.hooks.as_deref(), &args.playbooks.playbooks, &known, &strings).await?;
    let rules = rules(&args, &library)?;
    let listener = TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("failed to listen on {} (--listen)", args.listen))?;
    let address = listener.local_addr().context("failed to read the address of the HTTP API")?;
    let links = links_of_env()?.map(Arc::new);
    let doors = doors(&args, address, links.as_deref(), &telemetry)?;
    let state = args.sandbox.state(&args.state).await?;
    let observer = local::observer(telemetry.metrics(), &library);
    observer.show_zeros();
    let counter = Arc::clone(&observer);
    SystemClock::counting_jumps(move |jump| counter.clock_jumped(jump));
    let ports = local::ports(&state.store).bounded_by(guardrails);
    let ports = if rules.channels.is_empty() { ports } else { ports.notifying() };
    let notifier = notify::notifier(&ports, rules, Arc::clone(&observer)).await?;
    let (stop_telling, telling_stops) = watch::channel(false);
    let telling = tokio::spawn(notifier.run(Arc::new(state.store.clone()), telling_stops));
    let gatekeeper = ports.gatekeeper(&strings, Arc::clone(&observer))?;
    let dispatcher = ports.dispatcher(Arc::clone(&library)).observed_by(observer.clone()).gated_by(gatekeeper);
    let plans = library.entries().map(|entry| &*entry.plan);
    let engine =
        Engine::start(&state.store, &ports, dispatcher.clone(), &strings, plans, checks.clone(), &observer).await?;
    let housekeeping = tokio::spawn(keep_house(state.store.clone(), args.keep_runs * DAY_MS));
    let flushing = tokio::spawn({
        let telemetry = telemetry.clone();
        async move { telemetry.flush_every(FLUSH_EVERY).await }
    });
    out::line(format_args!("http://{address}"))?;
    args.sandbox.welcome(address);
    let limits = Limits::of_process();
    let connections = limits.connections;
    let descriptors = Descriptors::of_process().map(|own| own.0);
    tracing::info!(%address, state = %args.state.state.display(), descriptors, connections, "serving");
    warn_if_few(Descriptors::of_process());

    let service = service(&ports, dispatcher, checks, telemetry.clone(), hooks);
    let approval_links = links.map(|links| ApprovalLinks { links, claims: Arc::clone(&ports.claims) });
    let waiting = Waiting { poll: POLL, news: Some(Arc::new(state.store.clone())), streams: true };
    let service = Service { approval_links, waiting, ..service };
    let router = doors.guard(heal_api::router(service));
    server::serve(listener, router, limits, doors.refusals(), stop, REQUEST_GRACE).await;
    housekeeping.abort();
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
    Ok(Exit::Success)
}

/// With few descriptors, calls of other services wait for each other under load.
fn warn_if_few(descriptors: Option<Descriptors>) {
    if let Some(few) = descriptors.filter(|own| !own.are_enough()) {
        tracing::warn!(
            "the process may open {} files, {} of them for its own work, expected at least {OWN_DESCRIPTORS}; raise the limit (`ulimit -n`, `LimitNOFILE=`)",
            few.0,
            few.for_own_work()
        );
    }
}

/// The doors of the API at `address`. The address that notifications link to is one of its own.
fn doors(args: &Args, address: SocketAddr, links: Option<&Links>, telemetry: &Telemetry) -> anyhow::Result<Arc<Doors>> {
    let mut access = args.api.as_deref().map(access::load).transpose()?.unwrap_or_default();
    access.public_url = access.public_url.or_else(|| Some(links?.base().clone()));
    let parts =
        Parts { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy), metrics: telemetry.metrics().clone() };
    let doors = Doors::new(access, address, parts)?;
    if doors.is_trial() {
        tracing::warn!(
            "the HTTP API knows no identities: whoever reaches {address} may do everything. For more than a trial use --api"
        );
    }
    Ok(Arc::new(doors))
}

/// What the API works on: changes are turns of this process.
fn service(
    ports: &Ports,
    dispatcher: Dispatcher,
    checks: Vec<Check>,
    telemetry: Telemetry,
    hooks: Option<(Hooks, Verifier)>,
) -> Service {
    let changes =
        Direct { dispatcher: dispatcher.clone(), runs: ports.runs.clone(), entropy: Arc::clone(&ports.entropy) };
    Service {
        dispatcher,
        changes: Arc::new(changes),
        runs: ports.runs.clone(),
        due_runs: Arc::clone(&ports.due_runs),
        sender: Arc::clone(&ports.sender),
        autonomy: Arc::clone(&ports.autonomy),
        dead_letters: Arc::clone(&ports.dead_letters),
        check_store: Arc::clone(&ports.checks),
        checks,
        catalog: Some(actions::catalog()),
        claims: Arc::clone(&ports.claims),
        entropy: Arc::clone(&ports.entropy),
        telemetry,
        waiting: Waiting { poll: POLL, news: None, streams: true },
        hooks: hooks.map(|(hooks, verifier)| Hooked { hooks, verifier, deliveries: Arc::clone(&ports.claims) }),
        approval_links: None,
    }
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

/// Logs the head of the last day before anything is removed.
async fn keep_house(store: Store, keep_runs_ms: u64) {
    let heads = HeadLog::default();
    loop {
        let now = SystemClock.now();
        heads.log_due(&store, now, HEAD_TIME).await;
        match store.collect_garbage(now, keep_runs_ms).await {
            Ok(collected) => tracing::debug!(?collected, "removed expired rows"),
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "failed to remove expired rows"),
        }
        tokio::time::sleep(HOUSEKEEPING_EVERY).await;
    }
}
