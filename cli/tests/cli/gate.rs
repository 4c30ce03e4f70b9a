//! The plan gate of `heal run`: a denial of a later step stops the first.

use serde_json::{Value, json};

use crate::support::{Ran, heal_with_input, path, root};

/// Two incidents about `ticket-1` within five minutes, over one state file.
fn twice(state: &str) -> [Ran; 2] {
    let text = std::fs::read_to_string(root().join("tests/events/ticket_timeout.json")).unwrap();
    let mut incident: Value = serde_json::from_str(&text).unwrap();
    ["first", "second"].map(|id| {
        incident["incident_id"] = json!(id);
        heal_with_input(&["run", "-", "--sandbox", "--json", "--state", state], incident.to_string().as_bytes())
    })
}

#[test]
fn a_ticket_that_was_just_reallocated_keeps_its_pod_too() {
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = twice(path(&folder.path().join("state.db")));
    assert_eq!(first.exits(0).report()["outcome"], "HEALED");
    let second = second.exits(1).report();
    assert_eq!(second["outcome"], "DENIED");
    let reason = second["reason"].as_str().unwrap();
    for part in ["nothing was done", "reallocate_ticket", "ticket ticket-1", "reallocate_ticket_rate_limited"] {
        assert!(reason.contains(part), "no {part:?} in {reason:?}");
    }
    assert!(second["steps"].as_array().unwrap().iter().all(|step| step["attempts"] == 0), "{second:#}");
}
