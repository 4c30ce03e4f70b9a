//! The client: the guide's calls, each under its span, breaker and deadline.

use std::sync::Arc;
use std::time::Instant;

use reqwest::Method;
use serde_json::Value;
use tracing::{Instrument, Span};

use super::SERVICE;
use super::dialect::{self, Change, Metadata, WireList};
use super::path;
use super::ticket::{Filter, Ticket, TicketList, TicketStatus};
use crate::breaker::{Breaker, Clock, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::{BaseUrl, Dialect, TicketConfig, keys};
use crate::error::{Effect, Error};
use crate::http::{Http, Request};
use crate::observe::{CallOutcome, Observer};

/// A client of the execution ticket service.
#[derive(Debug)]
pub struct Client {
    http: Http,
    base: BaseUrl,
    dialect: Dialect,
    breaker: Breaker,
    observer: Arc<dyn Observer>,
}

impl Client {
    /// Connects at the first call.
    ///
    /// # Errors
    /// `Invalid` if TLS cannot be set up on this machine.
    pub fn new(config: &TicketConfig, wiring: &Wiring) -> Result<Self, Error> {
        Self::with_clock(config, wiring, system_clock())
    }

    /// As [`Client::new`], with the breaker's clock given.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn with_clock(config: &TicketConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        Ok(Self {
            http: Http::new(SERVICE, config.url.as_str(), config.timeout)?.configured_by(keys::ENV_TICKETS_URL),
            base: config.url.clone(),
            dialect: config.dialect,
            breaker: Breaker::new(SERVICE, config.breaker, wiring, clock),
            observer: Arc::clone(&wiring.observer),
        })
    }

    /// The state of this client's circuit breaker.
    pub fn breaker_state(&self) -> State {
        self.breaker.state()
    }

    /// Reads one ticket.
    ///
    /// # Errors
    /// `Refused` of kind `NotFound` if there is no such ticket.
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
            self.exchange_ticket(ticket_id, &request, context).await
        }
        .instrument(span)
        .await
    }

    /// Returns one ticket to the queue: its status becomes `PENDING` and its worker is removed.
    ///
    /// The client adds the reallocation's source, reason, time and id to `metadata`.
    ///
    /// # Errors
    /// `Invalid` for an id that a path cannot carry; `Refused` or `Unavailable` if the service does not apply the change.
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
            let metadata = dialect::reallocation_metadata(metadata, reason, key);
            let change = dialect::reallocate(self.dialect, reason, &metadata);
            self.change("reallocate_ticket", ticket_id, change, context).await
        }
        .instrument(span.clone())
        .await;
        let outcome = record(&span, &result);
        self.observer.ticket_reallocation(outcome, reason, started.elapsed());
        result
    }

    /// Sets a ticket's status, and its result if one is given.
    ///
    /// The `status_patch` dialect cannot carry metadata, and carries only `error_message` and `actual_duration_ms` of a result.
    ///
    /// # Errors
    /// `Invalid` for an id that a path cannot carry; `Refused` or `Unavailable` if the service does not apply the change.
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
            let metadata = dialect::status_update_metadata(metadata);
            let change = dialect::update_status(self.dialect, status, result, &metadata);
            self.change("update_ticket_status", ticket_id, change, context).await
        }
        .instrument(span.clone())
        .await;
        let outcome = record(&span, &answer);
        self.observer.ticket_status_update(outcome, status.as_str());
        answer
    }

    /// Lists one page of the tickets that match `filter`.
    ///
    /// # Errors
    /// `Refused` or `Unavailable` if the service does not return a list.
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

    /// Probes the service's health route. Bypasses the breaker, so it also reaches a service that the breaker has cut off.
    ///
    /// # Errors
    /// The service does not answer, or answers with a status other than 2xx.
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
        segments.extend(change.subpath);
        let request = Request {
            operation,
            method: change.method,
            url: path::url(&self.base, &segments)?,
            body: Some(change.body.to_string().into_bytes()),
            at_stake: Effect::Unknown,
        };
        self.exchange_ticket(ticket_id, &request, context).await
    }

    /// Sends `request` and reads the ticket in the answer; refuses an answer about another ticket.
    async fn exchange_ticket(
        &self,
        ticket_id: &str,
        request: &Request,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        let call = async {
            let answer = self.http.exchange(request, context).await?;
            let status = answer.status;
            let judge = self.http.judge(request);
            let ticket: Ticket = judge.json(answer)?;
            if ticket.ticket_id.eq_ignore_ascii_case(ticket_id) {
                Ok(ticket)
            } else {
                let problem = format!("the answer is about ticket {:?}, expected {ticket_id:?}", ticket.ticket_id);
                Err(judge.bad_answer(status, &problem))
            }
        };
        self.breaker.run(request.operation, call).await
    }
}

/// Records the call's outcome on its span.
fn record<T>(span: &Span, result: &Result<T, Error>) -> CallOutcome {
    let outcome = CallOutcome::from_result(result);
    span.record("outcome", outcome.as_str());
    outcome
}
