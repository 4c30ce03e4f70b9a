//! `heal notify test`: one notice, sent now.

use anyhow::bail;
use heal_engine::notice::{Notice, NoticeEvent};
use heal_engine::suggest;
use heal_engine::text::chain;
use heal_runtime::port::{Clock as _, SystemClock};

use super::Files;
use crate::exit::Exit;
use crate::{identity, notify, out};

const EXAMPLES: &str = "\
Examples:
  heal notify test                       every channel
  heal notify test --channel oncall      one of them";

/// Sends a test notice by every channel, or by one, and says what each answered
///
/// A pager gets an alert, which is resolved right after. Exits with 1 if a channel did not take it.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    #[command(flatten)]
    pub files: Files,
    /// Only this channel
    #[arg(long, value_name = "NAME")]
    pub channel: Option<String>,
}

pub(crate) async fn run(args: &Args) -> anyhow::Result<Exit> {
    let (_, mut rules) = args.files.rules()?;
    if let Some(name) = &args.channel {
        if !rules.channels.contains_key(name) {
            let near = suggest::closest(name, rules.channels.keys().map(String::as_str));
            let hint = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            bail!("`{}` is not a channel{hint}", out::text(name));
        }
        rules.channels.retain(|known, _| known == name);
    }
    let courier = notify::courier(&rules).await?;
    let now = SystemClock.now();
    let thread = format!("test-{}", now.0);
    let by = identity::local();
    let mut is_ok = true;
    for (name, channel) in &rules.channels {
        let mut result = Ok(());
        for (event, title) in
            [(NoticeEvent::Halted, "A test notice of heal"), (NoticeEvent::Resumed, "The test is over")]
        {
            let notice = Notice::new(event, thread.as_str(), now, title.to_owned()).fact("sent by", by.as_str());
            let notice = notice.detailed("Nothing is halted: somebody tries whether this channel works.");
            result = courier.send(channel, &notice, now).await;
            if result.is_err() {
                break;
            }
        }
        is_ok &= result.is_ok();
        let said = result.map_or_else(|error| format!("failed: {}", out::text(&chain(&error))), |()| "told".to_owned());
        out::line(format_args!("{:<20} {:<10} {said}", out::text(name), channel.kind.as_str()))?;
    }
    Ok(Exit::success_if(is_ok))
}
