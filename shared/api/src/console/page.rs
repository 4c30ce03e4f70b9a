//! What every page has: head, navigation, the banner of halts, and how values are shown.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Html;
use heal_engine::Timestamp;
use heal_engine::event::{RunOutcome, RunStatus};
use heal_engine::state::approval::ANONYMOUS;
use heal_engine::text::printable;
use heal_guard::Halt;
use maud::{DOCTYPE, Markup, html};

use super::Shown;
use super::assets::VERSION;
use crate::caller::Caller;
use crate::moment;
use crate::request::Service;

/// Keys of the pages in the navigation, with their titles.
pub(super) const PAGES: [(&str, &str); 7] = [
    ("/", "Now"),
    ("/runs", "Runs"),
    ("/incidents/new", "New incident"),
    ("/playbooks", "Playbooks"),
    ("/checks", "Checks"),
    ("/guardrails", "Guardrails"),
    ("/dead-letters", "Dead letters"),
];

/// No script from a text, no style of its own, and nothing kept in the browser.
const HTMX: &str = r#"{"includeIndicatorStyles":false,"allowEval":false,"allowScriptTags":false,"selfRequestsOnly":true,"historyCacheSize":0}"#;

/// How a state is meant, which decides its colour; its word stands beside it always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Good,
    Left,
    Bad,
    Live,
    Waits,
    None,
}

impl Tone {
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Left => "left",
            Self::Bad => "bad",
            Self::Live => "live",
            Self::Waits => "waits",
            Self::None => "",
        }
    }

    pub(super) const fn of_outcome(outcome: RunOutcome) -> Self {
        match outcome {
            RunOutcome::Healed | RunOutcome::Completed | RunOutcome::Shadowed => Self::Good,
            RunOutcome::Degraded | RunOutcome::Escalated => Self::Left,
            RunOutcome::Cancelled => Self::None,
            RunOutcome::NotHealed | RunOutcome::Failed | RunOutcome::Denied | RunOutcome::Timeout => Self::Bad,
        }
    }

    pub(super) const fn of_status(status: RunStatus) -> Self {
        match status {
            RunStatus::AwaitingApproval => Self::Waits,
            RunStatus::Pending | RunStatus::Running => Self::Live,
            RunStatus::Completed => Self::Good,
            RunStatus::Cancelled => Self::None,
            RunStatus::Failed | RunStatus::Timeout => Self::Bad,
        }
    }
}

/// What stands around every page: who looks at it, and what is stopped.
#[derive(Debug, Default)]
pub(super) struct Frame {
    pub(super) caller: Option<Caller>,
    pub(super) halts: Vec<Halt>,
}

impl FromRequestParts<Arc<Service>> for Frame {
    type Rejection = Shown;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Shown> {
        Ok(Self { caller: parts.extensions.get().cloned(), halts: service.dispatcher.halts().await? })
    }
}

/// A whole page. `current` is its key in [`PAGES`], if it is one of them.
pub(super) fn page(title: &str, current: &str, frame: &Frame, content: &Markup) -> Html<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="htmx-config" content=(HTMX);
                title { (title) " · heal" }
                link rel="icon" href={ "/assets/icon.svg" (VERSION) };
                link rel="stylesheet" href={ "/assets/heal.css" (VERSION) };
                script src={ "/assets/htmx.min.js" (VERSION) } defer {}
                script src={ "/assets/heal.js" (VERSION) } defer {}
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.top {
                    strong { "heal" }
                    nav aria-label="Pages" { ul { @for (path, name) in PAGES { li {
                        a href=(path) aria-current=[(path == current).then_some("page")] { (name) }
                    } } } }
                    @if let Some(caller) = &frame.caller { (signed_in(caller)) }
                }
                main id="main" tabindex="-1" {
                    (banner(&frame.halts))
                    h1 { (printable(title)) }
                    (content)
                }
                div id="said" role="status" aria-live="polite" {}
            }
        }
    };
    Html(page.into_string())
}

/// Who is signed in, and the way out. In a trial nobody is.
fn signed_in(caller: &Caller) -> Markup {
    html! {
        @if caller.identity == ANONYMOUS { span.who { "a trial: everybody may do everything" } } @else {
            form.who method="post" action="/logout" {
                span { (printable(&caller.identity)) " · " (caller.role.as_str()) }
                button { "Sign out" }
            }
        }
    }
}

/// What is stopped, on every page.
fn banner(halts: &[Halt]) -> Markup {
    html! {
        @if !halts.is_empty() {
            div.alarm role="alert" {
                "Halted: "
                @for (index, halt) in halts.iter().enumerate() {
                    @if index > 0 { "; " }
                    (printable(&halt.scope.to_string())) " until " (time(halt.until)) ", “" (printable(&halt.reason)) "” (" (printable(&halt.by)) ")"
                }
                " · " a href="/#halts" { "resume" }
            }
        }
    }
}

/// A moment: in UTC as it comes, in the reader's zone once the page's script has seen it.
pub(super) fn time(at: Timestamp) -> Markup {
    let text = moment::rfc3339(at);
    html! { time datetime=(text) { (text) } }
}

/// A word with its colour.
pub(super) fn badge(tone: Tone, word: &str) -> Markup {
    html! { span class={ "badge " (tone.class()) } { (printable(word)) } }
}

/// How a run stands: its outcome, or its status while it is live.
pub(super) fn standing(status: RunStatus, outcome: Option<RunOutcome>, is_held: bool) -> Markup {
    html! {
        @match outcome {
            Some(outcome) => (badge(Tone::of_outcome(outcome), outcome.as_str())),
            None => (badge(Tone::of_status(status), status.as_str())),
        }
        @if is_held { " " (badge(Tone::Waits, "HELD")) }
    }
}

/// A link to a run.
pub(super) fn run_link(run_id: &str) -> Markup {
    html! { a href={ "/runs/" (run_id) } { (printable(run_id)) } }
}

/// Bytes that a part of a page may still take: a page that nobody can load over a telephone helps nobody, however large a run is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room(pub usize);

impl Room {
    /// Whether `part` has room; then it takes it.
    pub(super) fn holds(&mut self, part: &Markup) -> bool {
        let left = self.0.checked_sub(part.0.len());
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }

    /// The parts that have room, up to the first that has none.
    pub(super) fn fill(mut self, parts: impl Iterator<Item = Markup>) -> Vec<Markup> {
        parts.take_while(|part| self.holds(part)).collect()
    }
}

/// A value as JSON that a person reads.
pub(super) fn json(value: &impl serde::Serialize) -> String {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.lines().map(|line| printable(line).into_owned()).collect::<Vec<_>>().join("\n")
}
