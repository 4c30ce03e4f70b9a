//! What an incident is about: its targets, and the tickets of an incident that has several.

use serde_json::Value;

use super::{Intake, TARGETS};
use crate::Map;

/// Removes the targets that are absent in fact, and takes the one affected ticket as `ticket_id` where none is given.
pub(super) fn complete(variables: &mut Map) {
    for name in TARGETS {
        let is_blank = |value: &Value| value.is_null() || value.as_str().is_some_and(|text| text.trim().is_empty());
        if variables.get(name).is_some_and(is_blank) {
            variables.remove(name);
        }
    }
    if !variables.contains_key("ticket_id")
        && let [ticket] = affected(variables).as_slice()
    {
        variables.insert("ticket_id".to_owned(), Value::from(ticket.as_str()));
    }
}

impl Intake {
    /// The tickets of an incident that names several and no `ticket_id`, each once, in the order of the message; else empty.
    pub fn tickets(&self) -> Vec<String> {
        let is_about_one = self.variables.contains_key("ticket_id");
        Some(affected(&self.variables)).filter(|tickets| !is_about_one && tickets.len() > 1).unwrap_or_default()
    }

    /// The same incident about one of its tickets alone, and deduplicated on its own.
    #[must_use]
    pub fn for_ticket(&self, ticket: &str) -> Self {
        let mut variables = self.variables.clone();
        variables.insert("affected_tickets".to_owned(), Value::from(vec![ticket]));
        variables.insert("ticket_id".to_owned(), Value::from(ticket));
        Self { variables, dedupe_key: format!("ticket:{ticket}:{}", self.dedupe_key), ..self.clone() }
    }
}

/// The ids in `affected_tickets`, each once.
fn affected(variables: &Map) -> Vec<String> {
    let named = variables.get("affected_tickets").and_then(Value::as_array);
    let named = named.into_iter().flatten().filter_map(Value::as_str).filter(|id| !id.trim().is_empty());
    let mut seen = std::collections::HashSet::new();
    named.filter(|id| seen.insert(*id)).map(ToOwned::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::read;

    #[test]
    fn each_of_several_tickets_has_an_intake_of_its_own_under_the_same_incident() {
        let message = json!({"incident_id": "i", "affected_tickets": ["a", "b", " ", "a"], "severity": "HIGH"});
        let whole = read(&message.to_string()).unwrap();
        assert_eq!(whole.tickets(), ["a", "b"]);
        let one = whole.for_ticket("b");
        assert_eq!((one.incident_id.as_str(), one.dedupe_key.as_str()), ("i", "ticket:b:incident:i"));
        let variables = json!({"incident_id": "i", "severity": "HIGH", "ticket_id": "b", "affected_tickets": ["b"]});
        assert_eq!(serde_json::Value::Object(one.variables.clone()), variables);
        assert!(one.tickets().is_empty());
    }

    #[test]
    fn an_incident_about_one_ticket_has_not_several() {
        for about_one in [
            json!({"incident_id": "i", "affected_tickets": ["a"]}),
            json!({"incident_id": "i", "affected_tickets": ["a", "a"]}),
            json!({"incident_id": "i", "ticket_id": "c", "affected_tickets": ["a", "b"]}),
            json!({"incident_id": "i", "affected_tickets": []}),
            json!({"incident_id": "i"}),
        ] {
            assert!(read(&about_one.to_string()).unwrap().tickets().is_empty(), "{about_one}");
        }
    }
}
