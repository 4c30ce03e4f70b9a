//! The budget of commands stops a run that would go on for ever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;

use fixture::{PlaybookCase, Run};
use heal_engine::event::RunOutcome;
use heal_engine::message::{AttemptOutcome, AttemptResult};
use heal_engine::turn::Input;
use heal_engine::{Command, Event, Map, Timestamp, limit};
use serde_json::json;

const NOW: Timestamp = Timestamp(1_000_000);

/// Steps with as many elements as a step may have, in sum one more than the budget has commands.
fn one_command_too_many() -> PlaybookCase {
    let wanted = usize::try_from(limit::COMMANDS_PER_RUN).unwrap() + 1;
    let sizes = (0..wanted).step_by(limit::FAN_OUT_ITEMS).map(|start| (wanted - start).min(limit::FAN_OUT_ITEMS));
    let actions: Vec<_> = sizes
        .enumerate()
        .map(|(step, items)| json!({"name": format!("s{step}"), "max_parallel": 1, "for_each": vec![0; items]}))
        .collect();
    serde_json::from_value(json!({"timeout_seconds": 86_400, "actions": actions})).unwrap()
}

#[test]
fn a_run_sends_as_many_commands_as_the_limit_says_and_ends_as_failed_at_the_next() {
    let mut run = Run::start(one_command_too_many().into_plan(), Map::new(), false, NOW, 1);
    let mut performed = 0;
    while !run.state.is_ended() {
        let input = match run.owed(NOW).first() {
            Some(Command::Perform { step, command, .. }) => {
                performed += 1;
                run.result(*step, command.attempt, AttemptResult::new(AttemptOutcome::Succeeded))
            }
            _ => Input::Wake,
        };
        run.take(input, NOW).unwrap();
    }
    assert_eq!(performed, limit::COMMANDS_PER_RUN);
    let events = run.commits.iter().flat_map(|commit| &commit.events);
    let mut reasons =
        events.filter_map(|event| if let Event::Stopping { reason, .. } = event { Some(reason) } else { None });
    let reason = reasons.next().map(String::as_str);
    assert_eq!(reason, Some("the run has sent 50000 commands, the limit is 50000"));
    assert_eq!(run.state.outcome(), Some(RunOutcome::Failed));
}
