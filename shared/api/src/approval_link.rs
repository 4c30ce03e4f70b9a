//! Links of notifications to approvals: a decision by one is bound to its question, and uses it up.

use std::sync::Arc;

use axum::http::StatusCode;
use heal_engine::{Digest, RunId};
use heal_notify::Links;
use heal_notify::link::{BadToken, Ticket};
use heal_runtime::port::ClaimStore;

use crate::problem::Problem;
use crate::request::Service;

/// What makes links mean something in this home.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct ApprovalLinks {
    /// Reads their tokens.
    pub links: Arc<Links>,
    /// Remembers which were used.
    pub claims: Arc<dyn ClaimStore>,
}

/// A decision that a person makes by a link.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Decision<'a> {
    pub run_id: &'a RunId,
    /// The step's name and the element; `None`: the run as a whole.
    pub step: Option<(&'a str, Option<u32>)>,
    pub digest: &'a Digest,
    pub by: &'a str,
    /// Whoever started a run may reject it, and not approve it.
    pub approves: bool,
}

/// The step and the element that a link leads to.
pub(crate) fn step_of(ticket: &Ticket) -> Option<(&str, Option<u32>)> {
    ticket.step.as_deref().map(|step| (step, ticket.item))
}

/// Uses the link of `token` up for `decision`. A person whom a rule refuses leaves it unused for others.
///
/// # Errors
/// 404, 409, 410 or 422 if the link is not one for this decision; 403 if the person may not decide.
pub(crate) async fn spend(service: &Service, token: &str, decision: Decision<'_>) -> Result<(), Problem> {
    let unknown = || Problem::not_found(BadToken::Forged.to_string());
    let ApprovalLinks { links, claims } = service.approval_links.as_ref().ok_or_else(unknown)?;
    let now = service.dispatcher.now();
    let ticket = links.read(token, now).map_err(refused)?;
    let is_same =
        ticket.run_id == *decision.run_id && step_of(&ticket) == decision.step && ticket.digest == *decision.digest;
    if !is_same {
        return Err(Problem::field("link", "leads to another question than the one that is answered"));
    }
    let Decision { run_id, step, by, approves, .. } = decision;
    let used = || {
        let message = format!("the link was used; what run {run_id} still asks is on its page");
        Problem::new(StatusCode::CONFLICT, message)
    };
    // Otherwise whoever comes second would read that nothing is asked any more.
    if ticket.is_spent(&**claims).await? {
        return Err(used());
    }
    if approves && let Some(why) = service.worklist().objection(run_id, step, by).await? {
        return Err(Problem::new(StatusCode::FORBIDDEN, format!("the change was refused: {why}")));
    }
    let holder = format!("{:016x}{:016x}", service.entropy.next()?, service.entropy.next()?);
    if ticket.spend(&**claims, &holder, now).await? { Ok(()) } else { Err(used()) }
}

fn refused(bad: BadToken) -> Problem {
    match bad {
        BadToken::Forged => Problem::not_found(bad.to_string()),
        BadToken::Expired { .. } => Problem::new(StatusCode::GONE, bad.to_string()),
    }
}
