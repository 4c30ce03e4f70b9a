//! A message that an alert is over.

use serde_json::Value;

use super::field::text;
use super::{NAME_CHARACTERS, Shape};
use crate::{Map, State};

/// The word of an incident's `status` or `state`, in any case, that says so.
const RESOLVED: &str = "resolved";
/// Characters of an alarm's name that the ids of its incidents keep in any case: the rest of an id is for the time.
const KEPT_CHARACTERS: usize = NAME_CHARACTERS - 64;

/// An alert that is over. It withdraws the runs that the alert has started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolution {
    /// Which alert.
    pub alert: Alert,
    /// What the message says, as a part of a sentence.
    pub reason: String,
}

/// What started a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alert {
    /// The incident with this id.
    Incident {
        /// The id.
        id: String,
    },
    /// A `CloudWatch` alarm.
    Alarm {
        /// The alarm's name.
        name: String,
        /// The alarm's ARN, if the message has it.
        arn: Option<String>,
        /// When the alarm returned to OK, as `CloudWatch` writes it: UTC.
        changed_at: String,
    },
}

impl Resolution {
    pub(super) fn of_alarm(name: &str, arn: Option<&str>, changed_at: &str) -> Self {
        let alert =
            Alert::Alarm { name: name.to_owned(), arn: arn.map(ToOwned::to_owned), changed_at: changed_at.to_owned() };
        Self { alert, reason: format!("the alarm {name:?} went to OK") }
    }

    /// The resolution that an incident's fields report.
    pub(super) fn of_incident(shape: Shape, fields: &Map, incident_id: &str) -> Option<Self> {
        let is_resolved = |name| text(fields, name).is_some_and(|word| word.trim().eq_ignore_ascii_case(RESOLVED));
        let is_over = shape == Shape::Incident && (is_resolved("status") || is_resolved("state"));
        is_over.then(|| Self {
            alert: Alert::Incident { id: incident_id.to_owned() },
            reason: format!("the incident {incident_id:?} was resolved"),
        })
    }

    /// Text with which the incident ids of the alert's runs start. It only finds candidates: [`Resolution::mismatch`] decides.
    pub fn id_prefix(&self) -> String {
        match &self.alert {
            Alert::Incident { id } => id.clone(),
            Alert::Alarm { name, .. } => name.chars().take(KEPT_CHARACTERS).collect(),
        }
    }

    /// Why a live run goes on; `None` if the alert is all that it is for.
    pub fn mismatch(&self, state: &State) -> Option<String> {
        let run_id = &state.run_id;
        if !self.started(state) {
            return Some(format!("run {run_id} is for another alert"));
        }
        let other = state.joined.iter().find(|joined| !self.covers(joined));
        other.map(|other| format!("run {run_id} is also for incident {other}, which is not resolved"))
    }

    fn started(&self, state: &State) -> bool {
        let field = |name| state.variables.incident_field(name).and_then(Value::as_str);
        match &self.alert {
            Alert::Incident { id } => state.incident_id == *id,
            Alert::Alarm { name, arn, changed_at } => {
                let same_arn = arn.as_deref().zip(field("alarm_arn")).is_none_or(|(ours, theirs)| ours == theirs);
                // A message that was late must not withdraw the run of the alarm's next change.
                let is_later = field("state_changed_at").is_none_or(|started| !is_before(changed_at, started));
                field("alarm_name") == Some(name) && same_arn && is_later
            }
        }
    }

    /// Whether an incident that joined a run is over, too.
    fn covers(&self, incident_id: &str) -> bool {
        match (&self.alert, incident_id.rsplit_once('@')) {
            (Alert::Incident { id }, _) => incident_id == id,
            (Alert::Alarm { name, changed_at, .. }, Some((kept, at))) => {
                keeps_name(kept, name) && !is_before(changed_at, at)
            }
            (Alert::Alarm { .. }, None) => false,
        }
    }
}

/// Whether an incident's id, which keeps as much of its alarm's name as it has room for, keeps `kept` of `name`.
fn keeps_name(kept: &str, name: &str) -> bool {
    if kept.chars().count() >= KEPT_CHARACTERS { name.starts_with(kept) } else { name == kept }
}

/// Whether `a` is before `b`. Both are UTC as `CloudWatch` writes it, so that the order of the texts is the order of the times.
fn is_before(a: &str, b: &str) -> bool {
    a < b
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may stop at the first surprise")]
mod tests {
    use serde_json::json;

    use super::super::{IntakeError, read};
    use super::*;
    use crate::event::RunStarted;
    use crate::turn::{self, Input};
    use crate::{Plan, RunId, Timestamp};

    const AT: &str = "2026-11-28T10:00:00.000+0000";

    fn resolution(message: &Value) -> Option<Resolution> {
        match read(&message.to_string()) {
            Err(IntakeError::NotAnIncident { resolution, .. }) => resolution.map(|resolution| *resolution),
            Ok(_) => None,
            Err(error) => panic!("{message}: {error}"),
        }
    }

    fn event_bridge(arn: &str, state: &str, at: &str) -> Value {
        json!({
            "source": "aws.cloudwatch", "detail-type": "CloudWatch Alarm State Change", "resources": [arn],
            "detail": {"alarmName": "cpu", "state": {"value": state, "timestamp": at}},
        })
    }

    fn sns(state: &str, at: &str) -> Value {
        json!({"AlarmName": "cpu", "NewStateValue": state, "StateChangeTime": at})
    }

    /// The run that `message` starts.
    fn run(message: &Value) -> (Plan, State) {
        let playbook =
            json!({"name": "p", "description": "", "timeout_seconds": 60, "triggers": [], "actions": [], "verify": []});
        let plan = Plan::compile(serde_json::from_value(playbook).unwrap()).unwrap();
        let intake = read(&message.to_string()).unwrap();
        let started = RunStarted {
            incident_id: intake.incident_id,
            incident_type: None,
            playbook: "p".to_owned(),
            plan_digest: plan.digest.clone(),
            variables: intake.variables,
            approval: true,
            named: false,
            gate: None,
            mode: crate::autonomy::RunMode::Live,
            autonomy: None,
            requested_by: None,
            concurrency_key: None,
            traceparent: None,
        };
        let (state, _) = turn::begin(&plan, RunId::new("run-1"), started, Timestamp(1), 1).unwrap();
        (plan, state)
    }

    #[test]
    fn a_resolved_incident_withdraws_the_run_of_its_id_alone() {
        let resolved = resolution(&json!({"incident_id": "inc-1", "status": "Resolved"})).unwrap();
        assert_eq!(resolved.reason, "the incident \"inc-1\" was resolved");
        assert_eq!(resolution(&json!({"incident_id": "inc-1", "state": "RESOLVED"})), Some(resolved.clone()));
        for open in [json!({"incident_id": "inc-1", "status": "open"}), json!({"incident_id": "inc-1"})] {
            assert_eq!(resolution(&open), None, "{open}");
        }
        assert_eq!(resolved.mismatch(&run(&json!({"incident_id": "inc-1"})).1), None);
        let other = run(&json!({"incident_id": "inc-10"})).1;
        assert!(other.incident_id.starts_with(&resolved.id_prefix()));
        assert_eq!(resolved.mismatch(&other).unwrap(), "run run-1 is for another alert");
    }

    #[test]
    fn an_alarm_that_is_ok_withdraws_the_runs_of_its_earlier_changes() {
        let arn = "arn:aws:cloudwatch:eu-central-1:1:alarm:cpu";
        let started = run(&event_bridge(arn, "ALARM", AT)).1;
        let later = "2026-11-28T10:05:00.000+0000";
        for ok in [event_bridge(arn, "OK", later), sns("OK", later)] {
            let resolution = resolution(&ok).unwrap();
            assert!(started.incident_id.starts_with(&resolution.id_prefix()));
            assert_eq!(resolution.mismatch(&started), None, "{ok}");
        }
        let earlier = "2026-11-28T09:59:59.999+0000";
        for ok in [event_bridge(&arn.replace("eu", "us"), "OK", later), event_bridge(arn, "OK", earlier)] {
            assert_eq!(resolution(&ok).unwrap().mismatch(&started).unwrap(), "run run-1 is for another alert", "{ok}");
        }
        assert_eq!(resolution(&sns("INSUFFICIENT_DATA", later)), None);
    }

    #[test]
    fn a_run_that_another_incident_has_joined_goes_on() {
        let (plan, mut state) = run(&sns("ALARM", AT));
        let ok = resolution(&sns("OK", "2026-11-28T10:05:00.000+0000")).unwrap();
        let mut join = |incident_id: &str| {
            let joined = Input::Joined { incident_id: incident_id.to_owned() };
            turn::take(&plan, &mut state, joined, Timestamp(2), 1).unwrap();
            ok.mismatch(&state)
        };
        assert_eq!(join("cpu@2026-11-28T10:02:00.000+0000"), None, "the same alarm, before it was OK");
        let mismatch = join("cpu@2026-11-28T10:06:00.000+0000").unwrap();
        assert!(mismatch.ends_with("which is not resolved"), "{mismatch}");
    }

    #[test]
    fn the_id_of_an_alarm_with_a_long_name_still_finds_it() {
        let name = "n".repeat(255);
        let alarm = |state: &str, at: &str| json!({"AlarmName": name, "NewStateValue": state, "StateChangeTime": at});
        let state = run(&alarm("ALARM", AT)).1;
        let ok = resolution(&alarm("OK", "2026-11-28T10:05:00.000+0000")).unwrap();
        assert!(state.incident_id.starts_with(&ok.id_prefix()));
        assert_eq!(ok.mismatch(&state), None);
        assert!(ok.covers(&state.incident_id));
    }

    #[test]
    fn an_alarm_covers_the_incidents_of_its_own_name_up_to_its_change() {
        let covers = |name: &str, id: &str| Resolution::of_alarm(name, None, AT).covers(id);
        for (at, is_covered) in [(AT, true), ("2026-11-28T10:00:00.001+0000", false), ("2026-11-28T09:59:59Z", true)] {
            assert_eq!(covers("cpu", &format!("cpu@{at}")), is_covered, "{at}");
        }
        for id in [format!("cp@{AT}"), format!("cpu-2@{AT}"), "cpu".to_owned()] {
            assert!(!covers("cpu", &id), "{id}");
        }
        let name = "n".repeat(NAME_CHARACTERS);
        let keeps = |characters: usize| covers(&name, &format!("{}@{AT}", &name[..characters]));
        assert_eq!([KEPT_CHARACTERS - 1, KEPT_CHARACTERS, NAME_CHARACTERS].map(keeps), [false, true, true]);
    }

    #[test]
    fn the_incidents_of_an_alert_are_found_by_how_their_ids_start() {
        let name = "n".repeat(NAME_CHARACTERS);
        assert_eq!(Resolution::of_alarm(&name, None, AT).id_prefix(), "n".repeat(192));
        let resolved = resolution(&json!({"incident_id": "inc-1", "status": "resolved"})).unwrap();
        assert_eq!(resolved.id_prefix(), "inc-1");
    }
}
