//! `heal check list`: the scheduled checks of a folder.

use heal_engine::check::{Check, Probe};

use super::folders::Folders;
use crate::exit::Exit;
use crate::out;

/// Lists the checks with what they probe and the incidents that they raise
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub folders: Folders,
    /// One JSON object a check
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let checks = args.folders.load()?;
    if args.json {
        checks.iter().try_for_each(out::json)?;
        return Ok(Exit::Success);
    }
    let head = ["CHECK", "PROBES", "EVERY", "FOR", "RAISES", "ONCE IN", "DESCRIPTION"];
    out::table(head, checks.iter().map(row).collect())?;
    Ok(Exit::Success)
}

fn row(check: &Check) -> [String; 7] {
    let raises = check.incident.get("incident_type").and_then(serde_json::Value::as_str).unwrap_or_default();
    [
        check.name.clone(),
        out::text(&probe_target(&check.probe)),
        format!("{} s", check.every_seconds),
        check.failures.to_string(),
        out::text(raises),
        format!("{} s", check.raise_once_in_seconds),
        out::text(&check.description),
    ]
}

fn probe_target(probe: &Probe) -> String {
    match probe {
        Probe::Http(http) => format!("{} {}", http.method.as_str(), http.url),
        Probe::GrpcHealth(grpc) if grpc.service.is_empty() => format!("{}:{}", grpc.host, grpc.port),
        Probe::GrpcHealth(grpc) => format!("{} of {}:{}", grpc.service, grpc.host, grpc.port),
        Probe::OverdueTickets(tickets) => format!("overdue {} tickets", tickets.status),
        Probe::StuckWorkflows(workflows) => format!("workflows stuck in {}", workflows.state),
        Probe::Dependency(dependency) => dependency.service.as_str().to_owned(),
    }
}
