//! Random questions to the policy: valid ones, and such that are none.

use super::*;

/// Text with what such fields hold, and what they should not.
pub(super) fn text() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!("")),
        Just(json!("t-1")),
        Just(json!(" \t\u{a0}\u{2003}")),
        Just(json!("\u{202e}{{ 7*7 }}../%2e%2e\r\n")),
        any::<String>().prop_map(Value::from),
        any_json(),
    ]
}

pub(super) fn any_json() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1.0e18..1.0e18_f64).prop_map(Value::from),
        Just(json!([])),
        Just(json!({"a": 1})),
    ]
}

pub(super) fn action() -> impl Strategy<Value = Value> {
    let named = proptest::sample::select(vec![
        "reallocate_ticket",
        "restart_workflow",
        "update_ticket_status",
        "trigger_replanning",
        "pause_workflow",
        "REALLOCATE_TICKET",
        "",
    ]);
    prop_oneof![9 => named.prop_map(Value::from), 1 => any_json()]
}

pub(super) fn state() -> impl Strategy<Value = Value> {
    let states =
        ["COMPLETED", "FAILED", "CANCELLED", "PAUSED", "RUNNING", "completed", " Failed ", "WORKFLOW_STATE_CANCELLED"];
    prop_oneof![
        6 => proptest::sample::select(states.to_vec()).prop_map(Value::from),
        1 => Just(json!("fa\u{131}led")),
        1 => Just(json!("CANCE\u{2113}\u{2113}ED")),
        1 => any::<String>().prop_map(Value::from),
        1 => any_json(),
    ]
}

pub(super) fn status() -> impl Strategy<Value = Value> {
    let statuses = ["COMPLETED", "COMPENSATING", "COMPENSATED", "FAILED", "RUNNING", "completed", " Compensated "];
    prop_oneof![
        6 => proptest::sample::select(statuses.to_vec()).prop_map(Value::from),
        1 => Just(json!("COMPENSAT\u{131}NG")),
        1 => any::<String>().prop_map(Value::from),
        1 => any_json(),
    ]
}

/// Epoch nanoseconds around the edge of five minutes, and elsewhere.
pub(super) fn last() -> impl Strategy<Value = Value> {
    let edge = NOW_NS - 300_000_000_000;
    prop_oneof![
        4 => (edge - 3..edge + 3).prop_map(Value::from),
        2 => (NOW_NS - 600_000_000_000..NOW_NS + 600_000_000_000).prop_map(Value::from),
        1 => Just(json!(0)),
        1 => Just(json!(-5)),
        1 => any_json(),
        1 => any::<String>().prop_map(Value::from),
    ]
}

/// A whole input document; any field may be missing.
pub(super) fn input() -> impl Strategy<Value = Value> {
    let tickets = prop_oneof![collection::vec(text(), 0..3).prop_map(Value::from), any_json()];
    let resource = (
        option::of(action()),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of(text()),
        option::of(tickets),
    )
        .prop_map(|(action, ticket, workflow, plan, reason, tickets)| {
            object([
                ("action", action),
                ("ticket_id", ticket),
                ("workflow_id", workflow),
                ("plan_id", plan),
                ("reason", reason),
                ("affected_tickets", tickets),
            ])
        });
    let now = prop_oneof![19 => Just(json!(NOW_NS)), 1 => any_json()];
    let context = (option::of(last()), option::of(state()), option::of(status()), now);
    let context = context.prop_map(|(last, state, status, now)| {
        object([
            ("last_reallocation_timestamp", last),
            ("workflow_state", state),
            ("ticket_status", status),
            ("now_ns", Some(now)),
        ])
    });
    let whole = (option::weighted(0.97, resource), option::weighted(0.97, context))
        .prop_map(|(resource, context)| object([("resource", resource), ("context", context)]));
    prop_oneof![50 => whole, 1 => any_json(), 1 => any_json().prop_map(|value| json!({"resource": value, "context": value}))]
}

pub(super) fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}
