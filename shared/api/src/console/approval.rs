//! `/approvals/RUN/STEP?token=…`: where a notification's link leads. It shows exactly the question that the person was told of, and who has
//! signed in and may answer it decides there; the link itself gives nobody a role.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use heal_engine::RunId;
use heal_engine::text::printable;
use heal_notify::link::{BadToken, Ticket};
use maud::{Markup, html};
use serde::Deserialize;

use super::Shown;
use super::page::{self, Frame, Tone, badge, run_link, standing, time};
use super::question::{Answer, approval_card};
use crate::approval_link::step_of;
use crate::caller::{Caller, Role};
use crate::extract::Parameters;
use crate::problem::Problem;
use crate::request::{Service, run_id};
use crate::worklist::{Approval, approval_name};

/// What a link has besides its path.
#[derive(Debug, Deserialize)]
pub(super) struct Followed {
    token: Option<String>,
}

/// Why a link leads to no question any more.
enum Dead {
    /// Nobody who has the key made it.
    Forged,
    /// The time for the answer is over.
    Expired(heal_engine::Timestamp),
    /// The question has its answer, or the run ended.
    Answered,
    /// The same step asks about other parameters now.
    Changed,
    /// Somebody decided by this link, and the question needs another person too.
    Used,
}

pub(super) async fn asked(
    State(service): State<Arc<Service>>,
    frame: Frame,
    Path(names): Path<BTreeMap<String, String>>,
    Parameters(Followed { token }): Parameters<Followed>,
) -> Result<Response, Shown> {
    let run_id = run_id(names.get("id").map_or("", String::as_str))?;
    let token = token.unwrap_or_default();
    match question(&service, &run_id, &token).await? {
        Ok((ticket, approval)) => {
            let objection = objection(&service, &frame, &ticket).await?;
            let title = format!("Approve {} of {}?", approval_name(&approval.approval), approval.playbook);
            let answer = objection.as_deref().map_or(Answer::ByLink(&token), Answer::Nobody);
            Ok(page::page(&title, "", &frame, &open(&approval, answer)).into_response())
        }
        Err(dead) => {
            let (status, title, content) = explain(&service, &run_id, &dead).await?;
            Ok((status, page::page(title, "", &frame, &content)).into_response())
        }
    }
}

/// The question that the link leads to, if it is still open.
async fn question(service: &Service, run_id: &RunId, token: &str) -> Result<Result<(Ticket, Approval), Dead>, Problem> {
    let Some(desk) = &service.approval_links else { return Ok(Err(Dead::Forged)) };
    let ticket = match desk.links.read(token, service.dispatcher.now()) {
        Ok(ticket) if ticket.run_id == *run_id => ticket,
        Ok(_) | Err(BadToken::Forged) => return Ok(Err(Dead::Forged)),
        Err(BadToken::Expired { until }) => return Ok(Err(Dead::Expired(until))),
    };
    let mut open = service.worklist().approvals_of(run_id).await?.into_iter();
    let is_asked = |entry: &Approval| (&entry.approval.step, entry.approval.item) == (&ticket.step, ticket.item);
    let Some(approval) = open.find(is_asked) else { return Ok(Err(Dead::Answered)) };
    if approval.approval.digest != ticket.digest {
        return Ok(Err(Dead::Changed));
    }
    if ticket.is_spent(&*desk.claims).await? {
        return Ok(Err(Dead::Used));
    }
    Ok(Ok((ticket, approval)))
}

/// Why the person who looks may not answer; `None` if that person may.
async fn objection(service: &Service, frame: &Frame, ticket: &Ticket) -> Result<Option<String>, Problem> {
    let Some(Caller { identity, role }) = &frame.caller else {
        return Ok(Some("Nobody is signed in.".to_owned()));
    };
    if *role < Role::Approver {
        let role = role.as_str();
        return Ok(Some(format!("You are signed in as {identity} with the role {role}; this needs an approver.")));
    }
    let rule = service.worklist().objection(&ticket.run_id, step_of(ticket), identity).await?;
    Ok(rule.map(|rule| format!("You cannot answer this: {rule}.")))
}

fn open(approval: &Approval, answer: Answer<'_>) -> Markup {
    let run_id = approval.run_id.as_str();
    html! {
        p { "Incident " (printable(&approval.incident_id)) " · run " (run_link(run_id)) ", with everything that happened so far" }
        (approval_card(run_id, &approval.approval, answer))
        @if matches!(answer, Answer::Nobody(_)) {
            p { "Ask somebody who may, or sign out and in again as yourself. The link stays good until somebody decides by it." }
        }
    }
}

/// What to do instead, by what is wrong with the link.
async fn explain(
    service: &Service,
    run_id: &RunId,
    dead: &Dead,
) -> Result<(StatusCode, &'static str, Markup), Problem> {
    let head = match dead {
        Dead::Forged => None,
        Dead::Expired(_) | Dead::Answered | Dead::Changed | Dead::Used => service.runs.head(run_id).await?,
    };
    let (status, title) = match dead {
        Dead::Forged => (StatusCode::NOT_FOUND, "This link does not work"),
        Dead::Expired(_) => (StatusCode::GONE, "This link has expired"),
        Dead::Answered => (StatusCode::GONE, "Nothing is left to decide"),
        Dead::Changed => (StatusCode::CONFLICT, "The question has changed"),
        Dead::Used => (StatusCode::GONE, "Somebody has used this link"),
    };
    let content = html! {
        @match dead {
            Dead::Forged => p { "It is cut off or changed, or this engine did not make it. Nothing was approved. Open it from the notification again." },
            Dead::Expired(until) => p { "It was good until " (time(*until)) ", when the time to decide ended. Nothing was approved by it. Only a run that was held meanwhile may still ask." },
            Dead::Answered => p { "Somebody has answered, or the run ended before anybody did." },
            Dead::Changed => p { (badge(Tone::Left, "read again")) " The same step asks about other parameters now than those that you were told of. Nothing was approved." },
            Dead::Used => p { "A decision was made by it, and the question needs another one. A link serves once: decide on the page of the run." },
        }
        @if let Some(head) = head {
            p { "The run " (run_link(head.run_id.as_str())) " is " (standing(head.status, head.outcome, head.held_by.is_some())) ". "
                @if matches!(dead, Dead::Changed | Dead::Used) { "What it asks now is there." } @else { "What happened is there." } }
        }
        p { a href="/" { "Everything that needs you" } }
    };
    Ok((status, title, content))
}
