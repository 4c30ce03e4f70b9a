//! Requests and answers about one ticket: an answer about another ticket is refused as unusable, and a route that does not exist names the wrong setting.

use http::Method;
use tracing::Instrument as _;

use super::client::Client;
use super::diagnose;
use super::dialect::WireChange;
use super::path;
use super::ticket::Ticket;
use crate::call::CallContext;
use crate::error::{Effect, Error};
use crate::http::{Answer, Request};

impl Client {
    /// Reads one ticket. Bypasses the breaker: a read after a lost answer is needed most where calls fail.
    pub(super) async fn fetch(&self, ticket_id: &str, context: &CallContext) -> Result<Ticket, Error> {
        let span = tracing::info_span!("self_healing.get_ticket", ticket_id);
        async {
            let id = path::segment("ticket_id", ticket_id)?;
            let route = ["tickets", id.as_str()];
            let request = reading("get_ticket", path::url(&self.base, &route)?);
            let answer = self.http.exchange_following(&request, context).await?;
            if diagnose::is_unknown_route(&answer) {
                return Err(self.wrong_url(&request, &route, context).await);
            }
            self.ticket_in(ticket_id, &request, answer)
        }
        .instrument(span)
        .await
    }

    /// Sends one change of a ticket, and reads the ticket in the answer.
    pub(super) async fn send(
        &self,
        operation: &'static str,
        ticket_id: &str,
        change: WireChange,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let id = path::segment("ticket_id", ticket_id)?;
        let mut segments = vec!["tickets", id.as_str()];
        segments.extend(change.subpath);
        let request = Request {
            operation,
            method: change.method,
            url: path::url(&self.base, &segments)?,
            body: Some(change.body.to_string().into_bytes()),
            at_stake: Effect::Unknown,
        };
        let call = async {
            let answer = self.http.exchange(&request, context).await?;
            if matches!(answer.status, 404 | 405)
                && let Some(error) = self.wrong_dialect(&request, ticket_id, answer.status, context).await
            {
                return Err(error);
            }
            self.ticket_in(ticket_id, &request, answer)
        };
        self.breaker.run_for(operation, ticket_id, call).await
    }

    /// The ticket in the answer; refuses an answer about another ticket.
    fn ticket_in(&self, ticket_id: &str, request: &Request, answer: Answer) -> Result<Ticket, Error> {
        let status = answer.status;
        let judge = self.http.judge(request);
        let ticket: Ticket = judge.json(answer)?;
        if ticket.ticket_id.eq_ignore_ascii_case(ticket_id) {
            return Ok(ticket);
        }
        let problem = format!("the answer is about ticket {:?}, expected {ticket_id:?}", ticket.ticket_id);
        Err(judge.bad_answer(status, &problem))
    }
}

/// A request that changes nothing.
pub(super) fn reading(operation: &'static str, url: url::Url) -> Request {
    Request { operation, method: Method::GET, url, body: None, at_stake: Effect::NotApplied }
}
