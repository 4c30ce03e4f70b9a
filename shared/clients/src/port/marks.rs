//! What is written on a pod or a ticket, for the rules of scope.

use heal_runtime::action::Marks;
use serde_json::Value;

use crate::kubernetes::FoundPod;
use crate::tickets::Ticket;

/// The labels and annotations of a pod.
pub fn pod_marks(pod: &FoundPod) -> Marks {
    let (labels, annotations) = (pod.labels().clone(), pod.annotations().clone());
    Marks { labels, annotations, ..Marks::default() }
}

/// The metadata of a ticket, as far as its values are texts, numbers or booleans.
pub fn ticket_marks(ticket: &Ticket) -> Marks {
    let text = |value: &Value| match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    };
    let metadata = ticket.metadata.iter().filter_map(|(key, value)| Some((key.clone(), text(value)?)));
    Marks { metadata: metadata.collect(), ..Marks::default() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_values_of_a_tickets_metadata_are_marks() {
        let ticket = json!({
            "ticket_id": "t-1", "status": "RUNNING",
            "metadata": {"team": "payments", "self-healing.io/ignore": true, "tries": 3, "none": null, "more": {"a": 1}},
        });
        let marks = ticket_marks(&serde_json::from_value(ticket).unwrap());
        let found: Vec<_> = marks.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        assert_eq!(found, [("self-healing.io/ignore", "true"), ("team", "payments"), ("tries", "3")]);
    }
}
