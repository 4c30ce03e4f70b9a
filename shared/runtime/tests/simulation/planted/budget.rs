//! The one bug that no course reaches: a run of more commands than its budget has.

use heal_engine::message::{ActionResult, AttemptResult};
use heal_engine::turn::{self, Input};
use heal_engine::{Command, Map, Plan, RunId, Timestamp, decide, limit};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_000_000);

/// Plays a run with one command too many.
///
/// # Panics
/// It sends more commands than it may.
pub fn play() {
    let plan = plan();
    let started = serde_json::from_value(
        json!({"incident_id": "i", "playbook": "p", "plan_digest": plan.digest, "variables": {}, "approval": false}),
    );
    let (mut state, _) = turn::begin(&plan, RunId::new("r"), started.unwrap(), NOW, 1).unwrap();
    let mut sent = 0;
    while !state.is_ended() {
        let owed = decide::decide(&plan, &state, NOW).into_iter().find_map(|command| match command {
            Command::Perform { command, .. } => Some(command),
            _ => None,
        });
        let input = match owed {
            Some(command) => {
                sent += 1;
                assert!(sent <= limit::COMMANDS_PER_RUN, "a run sent {sent} commands");
                Input::Result(Box::new(ActionResult {
                    run_id: command.run_id,
                    step: command.step,
                    item: command.item,
                    attempt: command.attempt,
                    token: command.token,
                    finished_at: NOW,
                    started_at: Some(NOW),
                    result: AttemptResult::succeeded(Map::new()),
                }))
            }
            None => Input::Wake,
        };
        turn::take(&plan, &mut state, input, NOW, 1).unwrap();
    }
    assert_eq!(sent, limit::COMMANDS_PER_RUN);
}

fn plan() -> Plan {
    let wanted = usize::try_from(limit::COMMANDS_PER_RUN).unwrap() + 1;
    let sizes = (0..wanted).step_by(limit::FAN_OUT_ITEMS).map(|start| (wanted - start).min(limit::FAN_OUT_ITEMS));
    let step = |(index, items): (usize, usize)| {
        json!({
            "name": format!("s{index}"), "type": "once", "needs": [], "parameters": {}, "timeout_seconds": 30,
            "retry": {"max_attempts": 1, "backoff_seconds": 2, "max_backoff_seconds": 60}, "on_failure": "stop",
            "on_unavailable": "skip", "safety": "unknown", "for_each": {"items": vec![0; items], "max_parallel": 1},
        })
    };
    let playbook = json!({
        "name": "p", "description": "", "timeout_seconds": 86_400, "triggers": [], "verify": [],
        "actions": sizes.enumerate().map(step).collect::<Vec<_>>(),
    });
    Plan::compile(serde_json::from_value(playbook).unwrap()).unwrap()
}
