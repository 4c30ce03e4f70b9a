//! `CloudWatch` alarms, in the three forms that AWS sends them (Amazon CloudWatch User Guide, "Acting on alarm
//! changes").

mod description;
mod metric;

use serde_json::Value;

use super::error::FieldFaults;
use super::field::{accepts, has, text};
use super::resolution::Resolution;
use super::{ALARM_TYPE, IntakeError, NAME_CHARACTERS, path};
use crate::Map;
use crate::template::brief;

const EVENT: &str = "CloudWatch Alarm State Change";

/// An alarm in the state ALARM.
#[derive(Debug)]
pub(super) struct Alarm {
    pub(super) incident_id: String,
    pub(super) dedupe_key: String,
    /// Its incident fields and variables, validated.
    pub(super) fields: Map,
}

/// The JSON pointers of one form of alarm.
#[derive(Debug)]
pub(super) struct Layout {
    name: &'static str,
    state: &'static str,
    reason: &'static str,
    changed_at: &'static str,
    description: &'static str,
    metrics: metric::Source,
    arn: &'static str,
    region: &'static str,
    account: &'static str,
}

static EVENT_BRIDGE: Layout = Layout {
    name: "/detail/alarmName",
    state: "/detail/state/value",
    reason: "/detail/state/reason",
    changed_at: "/detail/state/timestamp",
    description: "/detail/configuration/description",
    metrics: metric::Source::Configuration("/detail/configuration/metrics"),
    arn: "/resources/0",
    region: "/region",
    account: "/account",
};

static LAMBDA: Layout = Layout {
    name: "/alarmData/alarmName",
    state: "/alarmData/state/value",
    reason: "/alarmData/state/reason",
    changed_at: "/alarmData/state/timestamp",
    description: "/alarmData/configuration/description",
    metrics: metric::Source::Configuration("/alarmData/configuration/metrics"),
    arn: "/alarmArn",
    region: "/region",
    account: "/accountId",
};

static SNS: Layout = Layout {
    name: "/AlarmName",
    state: "/NewStateValue",
    reason: "/NewStateReason",
    changed_at: "/StateChangeTime",
    description: "/AlarmDescription",
    metrics: metric::Source::Trigger("/Trigger"),
    arn: "/AlarmArn",
    // A display name, "EU (Ireland)": used only if there is no ARN.
    region: "/Region",
    account: "/AWSAccountId",
};

/// The layout of the alarm in `fields`, if it is one.
pub(super) fn layout(fields: &Map) -> Option<&'static Layout> {
    let from_alarms = text(fields, "source") == Some("aws.cloudwatch");
    if from_alarms && has(fields, "detail-type") && has(fields, "detail") {
        return Some(&EVENT_BRIDGE);
    }
    if from_alarms && has(fields, "alarmData") {
        return Some(&LAMBDA);
    }
    (has(fields, "AlarmName") && has(fields, "NewStateValue")).then_some(&SNS)
}

/// # Errors
/// The state is not ALARM, or fields have the wrong type, also in the description.
pub(super) fn read(fields: Map, layout: &Layout, path: &str) -> Result<Alarm, IntakeError> {
    if let Some(kind) = text(&fields, "detail-type").filter(|kind| *kind != EVENT) {
        return Err(IntakeError::not_an_incident(format!("the event {kind:?} is not a state change of an alarm")));
    }
    let event = Value::Object(fields);
    let mut reader = AlarmReader { event: &event, path, faults: FieldFaults::default() };
    let state = reader.required(layout.state, "OK, ALARM or INSUFFICIENT_DATA");
    let name = reader.required(layout.name, "a string");
    if let (Some(state @ ("OK" | "INSUFFICIENT_DATA")), name) = (state, name.unwrap_or_default()) {
        let changed_at = reader.optional(layout.changed_at).filter(|_| state == "OK" && !name.is_empty());
        return Err(match changed_at {
            Some(changed_at) => {
                IntakeError::resolved(Resolution::of_alarm(name, reader.optional(layout.arn), changed_at))
            }
            None => IntakeError::not_an_incident(format!("the alarm {name:?} went to {state}")),
        });
    }
    if let Some(state) = state.filter(|state| *state != "ALARM") {
        reader.wrong(layout.state, &Value::from(state), "OK, ALARM or INSUFFICIENT_DATA");
    }
    let changed_at = reader.required(layout.changed_at, "a string");
    let [reason, arn, region, account, description] =
        [layout.reason, layout.arn, layout.region, layout.account, layout.description]
            .map(|pointer| reader.optional(pointer));
    reader.faults.into_result()?;
    // Both are `Some`: a missing required field has returned above.
    let (name, changed_at) = (name.unwrap_or_default(), changed_at.unwrap_or_default());

    let mut fields = metric::dimensions(&event, &layout.metrics);
    fields.retain(|name, value| accepts(name, value));
    fields.extend(description::fields(description.unwrap_or_default(), &path::pointer(path, layout.description))?);
    fields.entry("incident_type").or_insert_with(|| Value::from(ALARM_TYPE));
    let (arn_region, arn_account) = arn.map(parts_of_arn).unwrap_or_default();
    let facts = [
        ("alarm_name", Some(name)),
        ("alarm_arn", arn),
        ("region", arn_region.or(region)),
        ("account", arn_account.or(account)),
        ("reason", reason),
        ("state_changed_at", Some(changed_at)),
    ];
    let facts = facts.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value?))));
    fields.extend(facts.chain(metric::facts(&event, &layout.metrics)));
    let dedupe_key = format!("alarm:{}:{changed_at}", arn.unwrap_or(name));
    Ok(Alarm { incident_id: incident_id(name, changed_at), dedupe_key, fields })
}

/// `<alarm>@<time>`, with the alarm name cut to the limit of a name.
fn incident_id(name: &str, changed_at: &str) -> String {
    let room = NAME_CHARACTERS.saturating_sub(changed_at.chars().count() + 1);
    name.chars().take(room).chain(['@']).chain(changed_at.chars()).take(NAME_CHARACTERS).collect()
}

/// Region and account of `arn:aws:cloudwatch:<region>:<account>:alarm:<name>`.
fn parts_of_arn(arn: &str) -> (Option<&str>, Option<&str>) {
    let mut parts = arn.split(':').skip(3).map(|part| Some(part).filter(|part| !part.is_empty()));
    (parts.next().flatten(), parts.next().flatten())
}

/// Reads texts from an alarm and collects wrong fields.
#[derive(Debug)]
struct AlarmReader<'a> {
    event: &'a Value,
    path: &'a str,
    faults: FieldFaults,
}

impl<'a> AlarmReader<'a> {
    fn optional(&mut self, pointer: &str) -> Option<&'a str> {
        let value = self.event.pointer(pointer).filter(|value| !value.is_null())?;
        if !value.is_string() {
            self.wrong(pointer, value, "a string");
        }
        value.as_str()
    }

    fn required(&mut self, pointer: &str, expected: &'static str) -> Option<&'a str> {
        match self.event.pointer(pointer) {
            None => self.faults.push(path::pointer(self.path, pointer), "missing".to_owned(), expected),
            Some(Value::String(text)) if !text.is_empty() => return Some(text),
            Some(value) => self.wrong(pointer, value, expected),
        }
        None
    }

    fn wrong(&mut self, pointer: &str, value: &Value, expected: &'static str) {
        self.faults.push(path::pointer(self.path, pointer), brief(value), expected);
    }
}
