//! An incident with several tickets whose playbook works on one: a run for each.

use std::sync::Arc;

use futures_util::future::try_join_all;
use heal_engine::incident::Intake;
use heal_engine::limit;
use serde_json::Value;

use super::intake::How;
use super::{DispatchError, Dispatcher, IntakeOutcome, Prepared};
use crate::library::{Entry, RouteError};

/// Runs that are started at the same time: each is a transaction in the store.
const AT_ONCE: usize = 10;

/// The tickets of an incident that each need a run.
#[derive(Debug)]
pub(super) struct Several {
    /// The incident with all tickets.
    whole: Intake,
    /// At least two.
    tickets: Vec<String>,
}

impl Several {
    /// The tickets, with the incident about the first one; `None` if the incident starts one run.
    ///
    /// # Errors
    /// The message is a request with an id, which names one run.
    pub(super) fn new(intake: &Intake, entry: &Entry) -> Result<Option<(Self, Intake)>, RouteError> {
        let tickets = if entry.works_on_one_ticket() { intake.tickets() } else { Vec::new() };
        let Some(first) = tickets.first().map(|ticket| intake.for_ticket(ticket)) else { return Ok(None) };
        if let Some(run_id) = &intake.run_id {
            return Err(RouteError::SeveralTickets {
                playbook: entry.plan.playbook.name.clone(),
                run_id: run_id.to_string(),
                observed: tickets.len(),
            });
        }
        Ok(Some((Self { whole: intake.clone(), tickets }, first)))
    }

    /// A person has looked at the incident.
    pub(super) const fn looked_at(&mut self) {
        self.whole.approval = false;
    }

    /// The tickets that get a run.
    pub(super) fn started(&self) -> &[String] {
        self.tickets.get(..limit::TICKET_RUNS).unwrap_or(&self.tickets)
    }

    /// The tickets beyond the limit.
    fn left_out(&self) -> &[String] {
        self.tickets.get(limit::TICKET_RUNS..).unwrap_or_default()
    }
}

impl Dispatcher {
    /// Starts a run for each ticket. Each is deduplicated on its own, so a message that is delivered again after a failure starts the
    /// missing runs only.
    pub(super) async fn start_each(
        &self,
        several: &Several,
        entry: &Arc<Entry>,
        how: &How,
        traceparent: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        let mut outcomes = Vec::with_capacity(several.tickets.len());
        for portion in several.started().chunks(AT_ONCE) {
            let started =
                portion.iter().map(|ticket| self.start_ticket(&several.whole, ticket, entry, how, traceparent));
            outcomes.extend(try_join_all(started).await?);
        }
        if let [_, ..] = several.left_out() {
            outcomes.push(self.reject_rest(several, entry).await?);
        }
        Ok(IntakeOutcome::PerTicket { outcomes })
    }

    async fn start_ticket(
        &self,
        whole: &Intake,
        ticket: &str,
        entry: &Arc<Entry>,
        how: &How,
        traceparent: Option<&str>,
    ) -> Result<IntakeOutcome, DispatchError> {
        let intake = whole.for_ticket(ticket);
        let key = format!("rejected:{}", intake.dedupe_key);
        match Prepared::single(intake, Arc::clone(entry)) {
            Ok(prepared) => self.start_one(prepared.started(how), traceparent).await,
            // One ticket that the playbook refuses does not hold up the others.
            Err(rejection) => self.reject_tickets(key, whole, &[ticket.to_owned()], rejection.to_string()).await,
        }
    }

    async fn reject_rest(&self, several: &Several, entry: &Entry) -> Result<IntakeOutcome, DispatchError> {
        let (whole, rest) = (&several.whole, several.left_out());
        let reason = format!(
            "the incident names {} tickets, and playbook {} starts one run for each of at most {}; {} tickets have no run: {}; \
             send the message of this record as an incident to start their runs",
            several.tickets.len(),
            entry.plan.playbook.name,
            limit::TICKET_RUNS,
            rest.len(),
            rest.join(", ")
        );
        let key = format!("rest:{}\n{}", whole.dedupe_key, entry.plan.playbook.name);
        self.reject_tickets(key, whole, rest, reason).await
    }

    /// Records tickets that get no run, with a message about them that can be sent as it is.
    async fn reject_tickets(
        &self,
        dedupe_key: String,
        whole: &Intake,
        tickets: &[String],
        reason: String,
    ) -> Result<IntakeOutcome, DispatchError> {
        let (incident_id, kept) = (whole.incident_id.clone(), message(whole, tickets));
        let rejected = self.record_rejection(dedupe_key, incident_id, reason, kept, true).await?;
        self.observer.incident_taken(&rejected);
        Ok(rejected)
    }
}

/// The incident about `tickets`, as a message.
fn message(intake: &Intake, tickets: &[String]) -> String {
    let mut fields = intake.variables.clone();
    fields.insert("affected_tickets".to_owned(), Value::from(tickets));
    if intake.approval {
        fields.insert("execution_mode".to_owned(), Value::from("MANUAL_APPROVAL"));
    }
    if let Some(playbook) = &intake.playbook {
        fields.insert("playbook_name".to_owned(), Value::from(playbook.as_str()));
    }
    Value::Object(fields).to_string()
}
