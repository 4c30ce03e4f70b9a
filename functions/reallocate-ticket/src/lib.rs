//! `reallocate_ticket`: gives tickets back to be executed anew, each at most once in five minutes.
//!
//! Each ticket is a target of its own: it has its own facts, policy question, cooldown, idempotency key and answer, so that one ticket of a
//! batch neither vouches for the others nor stops them. The crate knows no claim and no queue; `heal_runtime::attempt` holds those.
//! Start at [`ReallocateTicket`].

mod effect;
mod facts;
mod identity;
mod parameters;
mod result;
mod spec;

use std::sync::Arc;

use async_trait::async_trait;
use heal_clients::port::{Memo, context, reserve_time_for_confirmation};
use heal_clients::tickets;
use heal_runtime::action::{Action, Call, Cooldown, Facts, Performed, Target};
use heal_runtime::port::{Clock, CooldownKey, PolicyResource};
use heal_runtime::{ActionSpec, AttemptResult};

use effect::Asked;
use facts::Seen;
use parameters::Parameters;

pub use parameters::MAX_TICKETS;
pub use spec::{COOLDOWN_MS, NAME, spec};

/// The action over the ticket service.
#[expect(missing_debug_implementations, reason = "a client and a clock: there is nothing to print")]
pub struct ReallocateTicket {
    tickets: Arc<tickets::Client>,
    clock: Arc<dyn Clock>,
    spec: ActionSpec,
    seen: Memo<Seen>,
}

impl ReallocateTicket {
    /// `clock` is the one that the attempts' deadlines are set by.
    pub fn new(tickets: Arc<tickets::Client>, clock: Arc<dyn Clock>) -> Self {
        Self { tickets, clock, spec: spec(), seen: Memo::default() }
    }
}

#[async_trait]
impl Action for ReallocateTicket {
    fn spec(&self) -> &ActionSpec {
        &self.spec
    }

    /// One per ticket; a ticket that is named twice is one.
    fn targets(&self, call: &Call) -> Result<Vec<Target>, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        let target = |ticket_id: String| Target {
            resource: PolicyResource {
                ticket_id: ticket_id.clone(),
                workflow_id: call.command.context.workflow_id.clone().unwrap_or_default(),
                reason: parameters.reason.clone(),
                ..PolicyResource::default()
            },
            cooldown: Some(Cooldown {
                key: CooldownKey { action: NAME.to_owned(), target: ticket_id.clone() },
                duration_ms: COOLDOWN_MS,
            }),
            id: ticket_id,
        };
        Ok(parameters.tickets().into_iter().map(target).collect())
    }

    /// The ticket as the service has it: whether it exists, and when it was last reallocated.
    async fn facts(&self, call: &Call, target: &Target) -> Result<Facts, AttemptResult> {
        let parameters: Parameters = call.typed()?;
        let context = context(call, &*self.clock);
        let read = self.tickets.get_ticket(&target.id, &context).await;
        let ticket = read.map_err(|error| result::unread(call, &parameters, &target.id, &error))?;
        let seen = Seen::of(call, &parameters, &ticket);
        if let Some(earlier) = seen.earlier_attempt {
            return Err(result::done_before(&ticket, earlier));
        }
        let facts = Facts { last_reallocation: seen.last_reallocation, ..Facts::default() };
        self.seen.put(call, &target.id, seen);
        Ok(facts)
    }

    async fn perform(&self, call: &Call, targets: &[Target]) -> Performed {
        let parameters: Parameters = match call.typed() {
            Ok(parameters) => parameters,
            Err(result) => return result.into(),
        };
        let context = context(call, &*self.clock);
        let changing = reserve_time_for_confirmation(&context);
        let tickets = &self.tickets;
        let asked = Asked { call, parameters: &parameters, context: &context, changing: &changing, tickets };
        let seen = |target: &Target| (target.id.clone(), self.seen.take(call, &target.id));
        let answers = asked.all(targets.iter().map(seen).collect()).await;
        result::of(call, &parameters, answers)
    }
}
