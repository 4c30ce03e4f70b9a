//! The client: the guide's calls, each under its span, breaker and deadline.

use std::sync::Arc;

use serde_json::Value;
use tracing::Instrument;

use super::change::Change;
use super::dialect::{self, Metadata, WireList};
use super::exchange::reading;
use super::ticket::{Filter, Ticket, TicketList, TicketStatus};
use super::{SERVICE, diagnose, path};
use crate::breaker::{Breaker, Clock, State, system_clock};
use crate::call::{CallContext, Wiring};
use crate::config::{BaseUrl, Dialect, TicketConfig, keys};
use crate::error::Error;
use crate::http::Http;
use crate::observe::Observer;

/// Tickets of the one page that [`Client::count_tickets`] reads.
pub const COUNTED_TICKETS: u32 = 100;

/// A client of the execution ticket service.
#[derive(Debug)]
pub struct Client {
    pub(super) http: Http,
    pub(super) base: BaseUrl,
    pub(super) dialect: Dialect,
    pub(super) breaker: Breaker,
    pub(super) observer: Arc<dyn Observer>,
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
    /// `Refused` of kind `NotFound` if there is no such ticket; `Misconfigured` if the service does not know the route.
    pub async fn get_ticket(&self, ticket_id: &str, context: &CallContext) -> Result<Ticket, Error> {
        self.breaker.run_for("get_ticket", ticket_id, self.fetch(ticket_id, context)).await
    }

    /// Returns one ticket to the queue: its status becomes `PENDING` and its worker is removed.
    ///
    /// The client adds the reallocation's source, reason, time and id to `metadata`. One call, without a read of the ticket: see
    /// [`Client::change_ticket`].
    ///
    /// # Errors
    /// `Invalid` for an id that a path cannot carry; `Refused`, `Misconfigured` or `Unavailable` if the service does not apply the change, or
    /// its answer does not show it.
    pub async fn reallocate_ticket(
        &self,
        ticket_id: &str,
        reason: &str,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        self.call(Change::Reallocate { reason }, ticket_id, None, metadata, context).await
    }

    /// Sets a ticket's status, and its result if one is given.
    ///
    /// The `status_patch` dialect cannot carry metadata, and carries only `error_message` and `actual_duration_ms` of a result. One call,
    /// without a read of the ticket: see [`Client::change_ticket`].
    ///
    /// # Errors
    /// As [`Client::reallocate_ticket`].
    pub async fn update_ticket_status(
        &self,
        ticket_id: &str,
        status: TicketStatus,
        result: Option<&Value>,
        metadata: &Metadata,
        context: &CallContext,
    ) -> Result<Ticket, Error> {
        self.call(Change::SetStatus { status, result }, ticket_id, None, metadata, context).await
    }

    /// Lists one page of the tickets that match `filter`.
    ///
    /// # Errors
    /// `Refused` or `Unavailable` if the service does not return a list; `Misconfigured` if it does not know the route.
    pub async fn list_tickets(&self, filter: &Filter, context: &CallContext) -> Result<TicketList, Error> {
        async {
            let route = dialect::list(self.dialect);
            let mut url = path::url(&self.base, route)?;
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
            let request = reading("list_tickets", url);
            let call = async {
                let answer = self.http.exchange_following(&request, context).await?;
                if diagnose::is_unknown_route(&answer) {
                    return Err(self.wrong_url(&request, route, context).await);
                }
                self.http.judge(&request).json::<WireList>(answer)
            };
            self.breaker.run(request.operation, call).await.map(TicketList::from)
        }
        .instrument(tracing::info_span!("self_healing.list_tickets"))
        .await
    }

    /// How many tickets of the workflow there are among the first [`COUNTED_TICKETS`]: never more than there are. The service cannot filter
    /// by workflow.
    ///
    /// # Errors
    /// As [`Client::list_tickets`].
    pub async fn count_tickets(&self, workflow_id: &str, context: &CallContext) -> Result<u32, Error> {
        let filter = Filter { limit: Some(COUNTED_TICKETS), ..Filter::default() };
        let list = self.list_tickets(&filter, context).await?;
        let found = list.tickets.iter().filter(|ticket| ticket.workflow_id.as_deref() == Some(workflow_id)).count();
        Ok(u32::try_from(found).unwrap_or(u32::MAX))
    }

    /// Probes the service's health route: `/health` at the root of the host, or below the base URL if there is none at the root. Bypasses the
    /// breaker, so it also reaches a service that the breaker has cut off.
    ///
    /// # Errors
    /// The service does not answer, or answers with a status other than 2xx.
    pub async fn health(&self, context: &CallContext) -> Result<(), Error> {
        let mut request = reading("health", path::root(&self.base, "/health")?);
        let mut answer = self.http.exchange_following(&request, context).await?;
        let below = path::url(&self.base, &["health"])?;
        if answer.status == 404 && below != request.url {
            request = reading("health", below);
            answer = self.http.exchange_following(&request, context).await?;
        }
        self.http.judge(&request).good(answer).map(drop)
    }
}
