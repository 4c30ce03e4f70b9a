//! What a run asks people: exactly what would be done, and the forms that answer.

use heal_engine::state::OpenApproval;
use heal_engine::text::printable;
use maud::{Markup, html};

use super::page::{Room, Tone, badge, json, time};
use crate::worklist::{approval_name, who_may_approve};

/// What people are asked; the first question is always whole.
const QUESTIONS: Room = Room(20 * 1_024);

/// How the person who looks at a question answers it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Answer<'a> {
    /// On the page of the run.
    Here,
    /// By the link with this token, which leads on to the page of the run.
    ByLink(&'a str),
    /// Not at all, for this reason.
    Nobody(&'a str),
}

/// The open questions, as many as have room.
pub(super) fn questions(run_id: &str, asked: &[OpenApproval]) -> Markup {
    let card = |approval: &OpenApproval| approval_card(run_id, approval, Answer::Here);
    let others = QUESTIONS.fill(asked.iter().skip(1).map(card));
    let left_out = asked.len().saturating_sub(others.len() + 1);
    html! {
        @if let Some(first) = asked.first() { (card(first)) }
        @for other in &others { (other) }
        @if left_out > 0 { p { (badge(Tone::Waits, "needs you")) " " (left_out) " more questions of this run wait; they follow once these are answered." } }
    }
}

/// What people are asked, with the answer's forms. The answer is bound to the digest of what is shown here.
pub(super) fn approval_card(run_id: &str, approval: &OpenApproval, answer: Answer<'_>) -> Markup {
    let link = if let Answer::ByLink(token) = answer { Some(token) } else { None };
    let next = link.map(|_| format!("/runs/{run_id}"));
    let hidden = html! {
        @if let Some(link) = link { input type="hidden" name="link" value=(link); }
        input type="hidden" name="digest" value=(approval.digest.as_str());
        @if let Some(step) = &approval.step { input type="hidden" name="step" value=(step); }
        @if let Some(item) = approval.item { input type="hidden" name="item" data-number value=(item); }
    };
    let what = approval_name(approval);
    html! {
        section.card aria-label={ "Approval of " (printable(&what)) } {
            h2 { (badge(Tone::Waits, "needs you")) " Approve " (printable(&what)) @if let Some(action) = &approval.action { ": " (printable(action)) } }
            p { (printable(&approval.why)) }
            p.quiet {
                (approval.approved_by.len()) " of " (approval.min) " approvals" @if !approval.approved_by.is_empty() { " (" (printable(&approval.approved_by.join(", "))) ")" }
                "; may be given by " (printable(&who_may_approve(approval))) "; until " (time(approval.until))
            }
            details open { summary { "What would be done, to what" } pre tabindex="0" { (json(&approval.parameters)) } }
            @match answer {
                Answer::Nobody(why) => p role="status" { strong { (printable(why)) } },
                Answer::Here | Answer::ByLink(_) => div.actions {
                    form data-url={ "/api/v1/runs/" (run_id) "/approve" } data-next=[next.as_deref()] { (hidden) button.yes { "Approve exactly this" } }
                    form data-url={ "/api/v1/runs/" (run_id) "/reject" } data-next=[next.as_deref()] {
                        (hidden)
                        label.wide { "Reason" input name="reason" required maxlength="500"; }
                        button.no { "Reject" }
                    }
                },
            }
        }
    }
}
