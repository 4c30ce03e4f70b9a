//! `heal sandbox`: the stand-in platform in the foreground.

mod ports;

use std::path::PathBuf;

use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::tickets::TicketsConfig;
use heal_sandbox::{Endpoints, Platform, PlatformConfig, Seed, Service};
use owo_colors::OwoColorize as _;
use serde_json::json;

use crate::exit::Exit;
use crate::sandbox::{Like, env, platform_config, read_seed};
use crate::{out, signal};
use ports::Ports;

const EXAMPLES: &str = "\
Examples:
  heal sandbox                                     free ports; stop it with Ctrl-C
  heal sandbox --ports tickets=8000,control=8099   fixed ports for some
  heal sandbox --like deployed                     services that behave as the deployed ones
  heal sandbox > .heal/sandbox.env &               then, in the same shell:
  . .heal/sandbox.env && heal serve
  curl $HEAL_SANDBOX_CONTROL_URL                   every request of the control port: state, calls, faults

A seed is JSON; what is absent is empty:
  {\"tickets\":   [{\"ticket_id\": \"t-1\", \"status\": \"RUNNING\", \"assigned_worker\": \"w-1\", \"workflow_id\": \"wf-1\"}],
   \"workflows\": [{\"workflow_id\": \"wf-1\", \"plan_id\": \"p-1\", \"state\": \"PAUSED\"}],
   \"pods\":      [{\"namespace\": \"n\", \"name\": \"w-1\", \"ready\": false, \"waiting_reason\": \"CrashLoopBackOff\",
                  \"owner\": {\"kind\": \"StatefulSet\", \"name\": \"w\"}}]}";

/// Stand-in services on loopback ports: tickets, orchestrator, Kubernetes, policy server
///
/// Prints the `export` lines that point the engine at them to standard output, everything else to standard error.
/// The control port seeds them, reads them back, and makes them refuse, hang, fail, be slow, or lose answers.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// JSON file with the initial state of the services
    #[arg(long, value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Without a seed: every worker is healthy; otherwise `worker-1` is in a crash loop
    #[arg(long, conflicts_with = "seed")]
    pub healthy: bool,
    /// Fixed ports, of `tickets`, `orchestrator`, `kubernetes`, `opa`, `control`; the others are free ones
    #[arg(long, value_name = "SERVICE=PORT,…", default_value = "", hide_default_value = true)]
    pub ports: Ports,
    /// Whether the services behave as the integration guide says or as they are deployed
    #[arg(long, value_enum, default_value_t)]
    pub like: Like,
    /// The ticket service's dialect
    #[arg(long, value_enum, default_value_t, conflicts_with = "like")]
    pub dialect: Dialect,
    /// Standard output gets one JSON object instead of `export` lines
    #[arg(long)]
    pub json: bool,
}

/// The two dialects of the ticket service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// The guide's routes
    #[default]
    Guide,
    /// The routes of the service as deployed
    #[value(name = "status_patch")]
    StatusPatch,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let seed = match &args.seed {
        Some(path) => read_seed(path)?,
        None if args.healthy => Seed::healthy_worker(),
        None => Seed::unhealthy_worker(),
    };
    let seed = if args.seed.is_none() && args.like == Like::Deployed { seed.with_deployed_workers() } else { seed };
    let stop = signal::stop()?;
    let platform = Platform::start(config(seed, &args))?;
    let endpoints = platform.endpoints();
    if args.json {
        let env: serde_json::Map<_, _> =
            env(&endpoints).into_iter().map(|(name, value)| (name, value.into())).collect();
        out::json(&json!({"env": env, "control_url": endpoints.control_url}))?;
    } else {
        for (name, value) in env(&endpoints) {
            out::line(format_args!("export {name}={value}"))?;
        }
    }
    print_introduction(&endpoints);
    stop.await;
    out::note("sandbox: stopped");
    platform.shutdown().await;
    Ok(Exit::Success)
}

fn config(seed: Seed, args: &Args) -> PlatformConfig {
    let ports = &args.ports;
    let base = platform_config(seed, args.like);
    let dialect = match args.dialect {
        Dialect::Guide => base.tickets.dialect,
        Dialect::StatusPatch => heal_sandbox::tickets::Dialect::StatusPatch,
    };
    PlatformConfig {
        tickets: TicketsConfig { port: ports.tickets, dialect, ..base.tickets },
        orchestrator: OrchestratorConfig { port: ports.orchestrator, ..base.orchestrator },
        kubernetes: KubernetesConfig { port: ports.kubernetes, ..base.kubernetes },
        opa: OpaConfig { port: ports.opa, ..base.opa },
        control_port: Some(ports.control),
        seed: base.seed,
    }
}

fn print_introduction(endpoints: &Endpoints) {
    out::note("The stand-in platform is up:".bold());
    for service in Service::ALL {
        out::note(format_args!("  {:<13} {}", service.name(), endpoints.url(service)));
    }
    let control = endpoints.control_url.as_deref().unwrap_or_default();
    out::note(format_args!("  {:<13} {control}", "control"));
    out::note("The export lines on standard output point heal at it. Then try:");
    for (command, what) in [
        (format!("curl {control}/state"), "tickets, workflows, pods"),
        (format!("curl '{control}/calls?effects=true'"), "every change, and who made it"),
        (
            format!("curl -X PUT {control}/faults -d '{{\"service\": \"tickets\", \"fault\": \"refuse\"}}'"),
            "the ticket service is down",
        ),
        (format!("curl -X DELETE {control}/faults"), "and is up again"),
        (format!("curl {control}"), "every other request"),
    ] {
        out::note(format_args!("  {command}   {}", format_args!("# {what}").dimmed()));
    }
    out::note("Ctrl-C ends it.");
}
