//! `heal hook test`: what a delivery would raise.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use heal_engine::incident;
use heal_hooks::{Alert, AlertStatus, Headers, Hooks, Source, Translation, limit};
use heal_runtime::library::Library;
use owo_colors::OwoColorize as _;
use serde_json::{Value, json};

use super::Files;
use crate::exit::Exit;
use crate::playbooks::diagnostics;
use crate::{file, out};

const EXAMPLES: &str = "\
Examples:
  heal hook test group.json                            Alertmanager's message, as it would be posted
  heal hook test event.json --source pagerduty
  curl -s localhost:9093/api/v2/alerts | jq '{alerts: .}' | heal hook test - --json";

/// Shows what a delivery would raise: per alert the rule, the incident and its playbook
///
/// Sends nothing. Exits with 1 if an alert would be ignored, or if a field of its incident cannot be rendered.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// File with the body of a delivery; `-` is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Who sends it
    #[arg(long, default_value = "alertmanager", value_parser = source, value_name = "SOURCE")]
    pub source: Source,
    #[command(flatten)]
    pub files: Files,
    /// One JSON object an alert
    #[arg(long)]
    pub json: bool,
}

/// One alert, and what it becomes.
#[derive(Debug)]
struct Tried {
    alert: Alert,
    translation: Translation,
    /// The playbook that starts, or why none does.
    playbook: Option<Result<String, String>>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let read = args.files.read()?;
    diagnostics::print_errors([read.faults()].into_iter());
    let Some(rules) = read.value else { bail!("the hooks cannot be used; `heal hook lint` shows every fault") };
    let hooks = Hooks::new(rules)?;
    let library = Library::new(args.files.known_playbooks()?.unwrap_or_default())?;
    let body = file::read_text(&args.file, limit::DELIVERY_BYTES as u64)?;
    // Events of another mode have their attributes in headers, which a file does not have.
    let headers = Headers::from_iter([("content-type", content_type(&body))]);
    let alerts = heal_hooks::read(args.source, &headers, body.as_bytes()).with_context(|| file::name(&args.file))?;
    if alerts.is_empty() {
        out::note("the delivery reports no alert");
    }
    let mut is_good = true;
    for alert in alerts {
        let tried = Tried::new(&hooks, &library, alert);
        is_good &= tried.is_good();
        if args.json {
            out::json(&tried.to_json())?;
        } else {
            tried.lines().into_iter().try_for_each(out::line)?;
        }
    }
    Ok(Exit::success_if(is_good))
}

fn source(name: &str) -> Result<Source, String> {
    let names = || Source::ALL.map(Source::as_str).join(", ");
    Source::named(name).ok_or_else(|| format!("the sources are {}", names()))
}

fn content_type(body: &str) -> &'static str {
    if body.trim_start().starts_with('[') {
        "application/cloudevents-batch+json"
    } else {
        "application/cloudevents+json"
    }
}

impl Tried {
    fn new(hooks: &Hooks, library: &Library, alert: Alert) -> Self {
        let translation = hooks.translate(&alert);
        let playbook = match &translation {
            Translation::Raise(message) => Some(match incident::read(&message.body) {
                Ok(intake) => match library.route(&intake) {
                    Ok(entry) => Ok(entry.plan.playbook.name.clone()),
                    Err(error) => Err(error.to_string()),
                },
                Err(error) => Err(error.to_string()),
            }),
            Translation::Withdraw(_) | Translation::Ignored => None,
        };
        Self { alert, translation, playbook }
    }

    fn is_good(&self) -> bool {
        let is_routed = self.playbook.as_ref().is_none_or(Result::is_ok);
        match &self.translation {
            Translation::Raise(message) => is_routed && message.faults.is_empty(),
            Translation::Withdraw(_) => true,
            Translation::Ignored => false,
        }
    }

    fn to_json(&self) -> Value {
        let alert = json!({"source": self.alert.source, "labels": self.alert.labels});
        let (playbook, unrouted) = match &self.playbook {
            Some(Ok(name)) => (Some(name), None),
            Some(Err(why)) => (None, Some(why)),
            None => (None, None),
        };
        match &self.translation {
            Translation::Raise(message) | Translation::Withdraw(message) => {
                let incident: Value = serde_json::from_str(&message.body).unwrap_or_default();
                let result = if matches!(self.translation, Translation::Raise(_)) { "raised" } else { "withdrawn" };
                json!({"alert": alert, "result": result, "rule": message.rule, "incident": incident,
                    "playbook": playbook, "unrouted": unrouted, "faults": message.faults})
            }
            Translation::Ignored => json!({"alert": alert, "result": "ignored"}),
        }
    }

    fn lines(&self) -> Vec<String> {
        let labels: Vec<_> = self.alert.labels.iter().map(|(name, value)| format!("{name}={}", plain(value))).collect();
        let status = self.alert.status.map_or("alert", AlertStatus::as_str);
        let mut lines = vec![format!("{}  {}", status.bold(), out::text(&labels.join(" ")))];
        let mut add = |name: &str, text: &str| lines.push(format!("  {:<10} {}", name.dimmed(), out::text(text)));
        match &self.translation {
            Translation::Raise(message) => {
                add("rule", &message.rule);
                add("raises", &message.incident_id);
                match &self.playbook {
                    Some(Ok(name)) => add("playbook", name),
                    Some(Err(why)) => add("playbook", &format!("none: {why}")),
                    None => {}
                }
                add("incident", &message.body);
                message.faults.iter().for_each(|fault| add("fault", fault));
            }
            Translation::Withdraw(message) => {
                add("rule", &message.rule);
                add("withdraws", &message.incident_id);
            }
            Translation::Ignored => add("ignored", "no rule is for it"),
        }
        lines
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned)
}
