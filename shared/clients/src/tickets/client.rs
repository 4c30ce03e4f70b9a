//! The client: the guide's calls, each under its span, breaker and deadline.

use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;
use tracing::{Instrument, Span};

use super::SERVICE;
use super::dialect::{self, Change, WireList};
use super::metadata::{self, Metadata};
use super::path;
use super::ticket::{Filter, Ticket, TicketList, TicketStatus};
use crate::breaker::{Breaker, Clock, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::{BaseUrl, Dialect, TicketConfig};
use crate::error::{Effect, Error};
use crate::http::{Http, Request};
use crate::observe::{CallOutcome, Observer};

/// The execution ticket service.
#[derive(Debug)]
pub struct Client {
    http: Http,
    base: BaseUrl,
    dialect: Dialect,
    breaker: Breaker,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// # Errors
    /// `Invalid` where no TLS can be set up on this machine.
    pub fn new(config: &TicketConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's time given.
    pub fn with_clock(config: &TicketConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(SERVICE, config.url.as_str(), config.timeout)?,
            base: config.url.clone(),
            dialect: config.dialect,
            breaker: Breaker::new(SERVICE, config.breaker, wiring, clock),
            observer: Arc::clone(&wiring.observer),
        })
    }

    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// The ticket as it is now.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` where there is none.
    pub async fn get_ticket(&self, ticket_id: &str, context: &CallContext) -> Result<Ticket, Error> {
        let span = tracing::info_span!("self_healing.get_ticket", ticket_id);
        async {
            let id = path::segment("ticket_id", ticket_id)?;
            let request = Request {
                operation: "get_ticket",
                method: Method::GET,
                url: path::url(&self.base, &["tickets", &id])?,
                body: None,
                at_stake: Effect::NotApplied,
            };
            self.ticket(ticket_id, &request, context).await
        }
        .instrument(span)
        .await
    }

    /// Gives one ticket back to be executed anew: `PENDING`, without a worker.
    ///
    /// `metadata` is completed with what every reallocation has (source, reason, time, id).
    pub async fn reallocate_ticket(
        &self,
        ticket_id: &str,
        reason: &str,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let started = Instant::now();
        let span = tracing::info_span!("self_healing.reallocate_ticket", ticket_id, outcome = tracing::field::Empty);
        let result = async {
            let key = context.idempotency_key.as_deref();
            let metadata = metadata::of_reallocation(metadata, reason, key);
            let change = dialect::reallocate(self.dialect, reason, &metadata);
            self.change("reallocate_ticket", ticket_id, change, context).await
        }
        .instrument(span.clone())
        .await;
        let outcome = record(&span, &result);
        self.observer.ticket_reallocation(outcome, reason, started.elapsed());
        result
    }

    /// Writes a ticket's status, with a result where there is one.
    ///
    /// The `status_patch` dialect has no place for metadata, and keeps `error_message` and `actual_duration_ms` of a result.
    pub async fn update_ticket_status(
        &self,
        ticket_id: &str,
        status: TicketStatus,
        result: Option<&Value>,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let span = tracing::info_span!(
            "self_healing.update_ticket_status",
            ticket_id,
            status = status.as_str(),
            outcome = tracing::field::Empty
        );
        let answer = async {
            let metadata = metadata::of_status_update(metadata);
            let change = dialect::update_status(self.dialect, status, result, &metadata);
            self.change("update_ticket_status", ticket_id, change, context).await
        }
        .instrument(span.clone())
        .await;
        let outcome = record(&span, &answer);
        self.observer.ticket_status_update(outcome, status.as_str());
        answer
    }

    /// Tickets by status and worker, a page at a time.
    pub async fn list_tickets(&self, filter: &Filter, context: &CallContext) -> Result<TicketList, Error> {
        async {
            let mut url = path::url(&self.base, &["tickets"])?;
            let numbers = [("limit", filter.limit), ("offset", filter.offset)];
            let texts = [
                ("status", filter.status.map(TicketStatus::as_str)),
                ("assigned_worker", filter.assigned_worker.as_deref()),
            ];
            for (name, value) in texts.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                url.query_pairs_mut().append_pair(name, value);
            }
            for (name, value) in numbers.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                url.query_pairs_mut().append_pair(name, &value.to_string());
            }
            let request = Request {
                operation: "list_tickets",
                method: Method::GET,
                url,
                body: None,
                at_stake: Effect::NotApplied,
            };
            let call = async {
                let answer = self.http.exchange(&request, context).await?;
                self.http.judge(&request).json::<WireList>(answer)
            };
            self.breaker.run(request.operation, call).await.map(TicketList::from)
        }
        .instrument(tracing::info_span!("self_healing.list_tickets"))
        .await
    }

    /// Whether the service says that it is well. Does not ask the breaker: this is how a person finds out.
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        let request = Request {
            operation: "health",
            method: Method::GET,
            url: path::url(&self.base, &["health"])?,
            body: None,
            at_stake: Effect::NotApplied,
        };
        let answer = self.http.exchange(&request, context).await?;
        self.http.judge(&request).good(answer).map(drop)
    }

    async fn change(
        &self,
        operation: &'static str,
        ticket_id: &str,
        change: Change,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let id = path::segment("ticket_id", ticket_id)?;
        let mut segments = vec!["tickets", id.as_str()];
        segments.extend(change.under);
        let request = Request {
            operation,
            method: change.method,
            url: path::url(&self.base, &segments)?,
            body: Some(change.body.to_string().into_bytes()),
            at_stake: Effect::Unknown,
        };
        self.ticket(ticket_id, &request, context).await
    }

    /// Sends `request` and reads the ticket that it is about.
    async fn ticket(&self, ticket_id: &str, request: &Request, context: &CallContext) -> Result<Ticket, Error> {
        let call = async {
            let answer = self.http.exchange(request, context).await?;
            let status = answer.status;
            let judge = self.http.judge(request);
            let ticket: Ticket = judge.json(answer)?;
            if ticket.ticket_id.eq_ignore_ascii_case(ticket_id) {
                Ok(ticket)
            } else {
                let problem = format!("the answer is about ticket {:?}", ticket.ticket_id);
                Err(judge.bad_answer(status, &problem))
            }
        };
        self.breaker.run(request.operation, call).await
    }
}

/// Notes how a call ended on its span.
fn record<T>(span: &Span, result: &Result<T, Error>) -> CallOutcome {
    let outcome = CallOutcome::of(result);
    span.record("outcome", outcome.as_str());
    outcome
}
