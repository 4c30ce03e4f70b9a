//! What a state answers to those who read it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{PlaybookCase, Run};
use heal_engine::message::AttemptResult;
use heal_engine::state::Approver;
use heal_engine::turn::Input;
use heal_engine::{Map, StepRef, Timestamp};
use serde::Deserialize as _;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_000_000);

fn start(playbook: &Value, variables: &Value, approval: bool) -> Run {
    let case = PlaybookCase::deserialize(playbook).unwrap();
    let variables: Map = variables.as_object().unwrap().clone();
    Run::start(case.into_plan(), variables, approval, NOW, 7)
}

#[test]
fn a_run_waits_for_people_only_while_nothing_else_of_it_goes_on() {
    let waits = |run: &Run| run.state.waits_for_people_only();
    let asks = json!({"name": "asks", "needs": [], "approval": {}});
    let acts = json!({"name": "acts", "needs": []});
    assert!(waits(&start(&json!({"actions": [acts]}), &json!({}), true)));
    assert!(!waits(&start(&json!({"actions": [acts]}), &json!({}), false)));
    assert!(waits(&start(&json!({"actions": [asks]}), &json!({}), false)));
    let mut both = start(&json!({"actions": [asks, acts]}), &json!({}), false);
    assert!(!waits(&both));
    let mut stopped = start(&json!({"actions": [asks, acts]}), &json!({}), false);
    stopped.take(Input::CancelRequested { by: "ann".to_owned() }, NOW).unwrap();
    assert!(!waits(&stopped));
    let ended = both.result(StepRef::whole(1), 1, AttemptResult::succeeded(Map::new()));
    both.take(ended, NOW).unwrap();
    assert!(waits(&both));
}

#[test]
fn a_person_learns_beforehand_why_an_approval_would_not_count() {
    let bob = Approver::new("local:bob");
    let none = Err("nobody is asked for this approval, or it has its answer".to_owned());
    let mut run =
        start(&json!({"actions": [{"name": "act", "approval": {"approvers": ["local:ann"]}}]}), &json!({}), false);
    let check = |run: &Run, step, by: &Approver| run.state.check_approval(&run.plan, step, by);
    let act = Some(("act", None));
    let refused = Err("local:bob may not approve this; those who may are local:ann".to_owned());
    assert_eq!(check(&run, act, &bob), refused);
    assert_eq!(check(&run, act, &Approver::new("local:ann")), Ok(()));
    assert_eq!([check(&run, None, &bob), check(&run, Some(("act", Some(0))), &bob)], [none.clone(), none.clone()]);
    run.take(Input::CancelRequested { by: "ann".to_owned() }, NOW).unwrap();
    let whole = start(&json!({"actions": [{"name": "act"}]}), &json!({}), true);
    assert_eq!([check(&whole, None, &bob), check(&whole, act, &bob)], [Ok(()), none]);
}

#[test]
fn what_the_incident_says_of_itself_is_read_from_its_fields() {
    let state = |variables: Value| start(&json!({"actions": []}), &variables, false).state;
    assert_eq!(state(json!({"created_at": 5})).incident_created_at(), Some(Timestamp(5)));
    assert_eq!(state(json!({"created_at": "yesterday"})).incident_created_at(), None);
    assert_eq!(state(json!({"severity": "high"})).severity(), Some("high"));
    assert_eq!([state(json!({"severity": " "})).severity(), state(json!({})).severity()], [None, None]);
    assert!(state(json!({"escalation_required": true})).escalation_required());
    assert!(!state(json!({"escalation_required": "true"})).escalation_required());
}
