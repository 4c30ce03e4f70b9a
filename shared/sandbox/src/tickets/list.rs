//! Lists tickets: filters, pages, and the forms of the response.

use serde_json::{Value, json};

use super::{Dialect, ListShape, Refusal, Store, Ticket, TicketStatus};

/// The page size without `limit`.
const PAGE_DEFAULT: usize = 100;
/// The largest page size.
const PAGE_LIMIT: usize = 1000;

/// At most `limit` tickets from `offset` on that match every filter, ordered by id.
pub(super) fn list(store: &Store, query: Option<&str>, dialect: Dialect, shape: ListShape) -> Result<Value, Refusal> {
    let filter = Filter::read(query.unwrap_or_default(), dialect)?;
    let found: Vec<Ticket> = store.tickets().into_iter().filter(|ticket| filter.matches(ticket)).collect();
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
    fn read(query: &str, dialect: Dialect) -> Result<Self, Refusal> {
        let mut filter = Self { status: None, equal: Vec::new(), limit: PAGE_DEFAULT, offset: 0 };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "status" => filter.status = Some(status(&value)?),
                "limit" => filter.limit = number("limit", &value, 1..=PAGE_LIMIT)?,
                "offset" => filter.offset = number("offset", &value, 0..=usize::MAX)?,
                "assigned_worker" | "workflow_id" if dialect == Dialect::Deployed => {}
                "assigned_worker" => filter.equal.push(("assigned_worker", value.into_owned())),
                "workflow_id" => filter.equal.push(("workflow_id", value.into_owned())),
                "plan_id" => filter.equal.push(("plan_id", value.into_owned())),
                // The real service ignores unknown query parameters, too.
                _ => {}
            }
        }
        Ok(filter)
    }

    fn matches(&self, ticket: &Ticket) -> bool {
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
