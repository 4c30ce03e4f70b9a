//! `heal notify show`: the channels, and what each is told.

use heal_engine::notice::{Channel, Route};
use owo_colors::OwoColorize as _;
use serde_json::json;

use super::Files;
use crate::exit::Exit;
use crate::out;

/// Shows the channels, and what each is told
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// One JSON object
    #[arg(long)]
    pub json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<Exit> {
    let (path, rules) = args.files.rules()?;
    if args.json {
        out::json(&json!({"file": path, "channels": rules.channels, "routes": rules.routes}))?;
        return Ok(Exit::Success);
    }
    out::line(format_args!("{}  {}", "notifications".bold(), out::text(&path.display().to_string())))?;
    for (name, channel) in &rules.channels {
        out::line(channel_line(name, channel))?;
        let routes = rules.routes.iter().filter(|route| route.to.contains(name));
        routes.map(route_line).try_for_each(out::line)?;
    }
    Ok(Exit::Success)
}

fn channel_line(name: &str, channel: &Channel) -> String {
    let settings: Vec<String> = channel.settings.iter().map(|(key, value)| format!("{key} {value}")).collect();
    format!(
        "{:<20} {:<10} {}",
        out::text(name).green(),
        channel.kind.as_str(),
        out::text(&settings.join(", ")).dimmed()
    )
}

fn route_line(route: &Route) -> String {
    let part = |what: &str, names: Vec<&str>| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let parts = [
        part("on", route.events.iter().map(|event| event.as_str()).collect()),
        part("severity", route.severities.iter().map(String::as_str).collect()),
        part("playbook", route.playbooks.iter().map(String::as_str).collect()),
        part("service", route.services.iter().map(String::as_str).collect()),
        part("outcome", route.outcomes.iter().map(|outcome| outcome.as_str()).collect()),
        route.digest.as_ref().map(|digest| format!("as a digest at {} {}", digest.at.join(", "), digest.time_zone)),
        route.quiet.as_ref().map(|quiet| format!("not from {} to {} {}", quiet.from, quiet.to, quiet.time_zone)),
    ];
    let parts: Vec<String> = parts.into_iter().flatten().collect();
    format!("  {}", if parts.is_empty() { "everything".to_owned() } else { out::text(&parts.join(" · ")) })
}
