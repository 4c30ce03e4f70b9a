//! Events as people and scripts read them: one JSON object a line, steps by name.

use serde_json::{Value, json};

use crate::event::Commit;
use crate::plan::Plan;

/// The events of `commit`, each as `{"run_id","seq","at","event",…}`; `step` is the step's name. `at` is in milliseconds since the epoch.
pub fn lines(plan: Option<&Plan>, commit: &Commit) -> Vec<Value> {
    let line = |(offset, event): (u64, _)| {
        let mut line = serde_json::to_value(event).unwrap_or(Value::Null);
        if let Value::Object(fields) = &mut line {
            if let (Some(plan), Some(index)) = (plan, fields.get("step").and_then(Value::as_u64)) {
                let index = u32::try_from(index).unwrap_or(u32::MAX);
                fields.insert("step".to_owned(), json!(plan.name(index)));
                let kind = plan.step(index).map(|step| step.spec.kind.clone());
                fields.insert("action".to_owned(), json!(kind));
            }
            fields.insert("run_id".to_owned(), json!(commit.run_id));
            fields.insert("seq".to_owned(), json!(commit.first_seq + offset));
            fields.insert("at".to_owned(), json!(commit.at));
            // The attempt's secret is between the engine and the action.
            fields.remove("token");
        }
        line
    };
    (0..).zip(&commit.events).map(line).collect()
}
