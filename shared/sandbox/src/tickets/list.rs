//! Listing: filters, pages, and the two forms of the answer.

use serde_json::{Value, json};

use super::{ListShape, Refusal, Store, Ticket, TicketStatus};

/// Tickets on a page where the caller names no number.
const PAGE_DEFAULT: usize = 100;
/// The most tickets on a page.
const PAGE_LIMIT: usize = 1000;

/// Every filter that holds; `limit` tickets from `offset` on, in the order of their ids.
pub(super) fn list(store: &Store, query: Option<&str>, shape: ListShape) -> Result<Value, Refusal> {
    let filter = Filter::read(query.unwrap_or_default())?;
    let found: Vec<Ticket> = store.tickets().into_iter().filter(|ticket| filter.holds(ticket)).collect();
    let total = found.len();
    let page: Vec<Ticket> = found.into_iter().skip(filter.offset).take(filter.limit).collect();
    Ok(match shape {
        ListShape::Array => json!(page),
        ListShape::Paged => {
            json!({"tickets": page, "total": total, "offset": filter.offset, "limit": filter.limit})
        }
    })
}

struct Filter {
    status: Option<TicketStatus>,
    equal: Vec<(&'static str, String)>,
    limit: usize,
    offset: usize,
}

impl Filter {
    fn read(query: &str) -> Result<Self, Refusal> {
        let mut filter = Self { status: None, equal: Vec::new(), limit: PAGE_DEFAULT, offset: 0 };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "status" => filter.status = Some(status(&value)?),
                "limit" => filter.limit = number("limit", &value, 1..=PAGE_LIMIT)?,
                "offset" => filter.offset = number("offset", &value, 0..=usize::MAX)?,
                "assigned_worker" => filter.equal.push(("assigned_worker", value.into_owned())),
                "workflow_id" => filter.equal.push(("workflow_id", value.into_owned())),
                "plan_id" => filter.equal.push(("plan_id", value.into_owned())),
                // An unknown query parameter is ignored, as the service does.
                _ => {}
            }
        }
        Ok(filter)
    }

    fn holds(&self, ticket: &Ticket) -> bool {
        self.status.is_none_or(|status| ticket.status == status)
            && self.equal.iter().all(|(name, value)| {
                let own = match *name {
                    "assigned_worker" => ticket.assigned_worker.as_deref().unwrap_or_default(),
                    "workflow_id" => ticket.workflow_id.as_str(),
                    _ => ticket.plan_id.as_str(),
                };
                own == value
            })
    }
}

fn status(value: &str) -> Result<TicketStatus, Refusal> {
    serde_json::from_value(value.into())
        .map_err(|error| Refusal::unprocessable(["query", "status"], &error.to_string()))
}

fn number(name: &'static str, value: &str, range: std::ops::RangeInclusive<usize>) -> Result<usize, Refusal> {
    value.parse().ok().filter(|number| range.contains(number)).ok_or_else(|| {
        let message = format!("expected a number from {} to {}", range.start(), range.end());
        Refusal::unprocessable(["query", name], &message)
    })
}
