//! Tells one course: what happened, and what it did to the logs and to the world.

use std::collections::BTreeMap;

use heal_engine::event::Event;
use heal_runtime::port::{Clock as _, RunReader as _};
use heal_runtime::{RunId, Seq};
use heal_testkit::memory::ManualClock;

use super::seen::Counted;
use super::stage::Stage;

/// What was told already.
#[derive(Default)]
pub struct Narrator {
    logs: BTreeMap<RunId, Seq>,
    effects: usize,
    faults: Counted,
}

impl Narrator {
    /// Prints `what` and everything new, without a fault of its own: the course stays the same.
    pub async fn tell(&mut self, stage: &Stage, what: &str) {
        stage.without_faults(true);
        let since_ms = stage.clock.now().since_ms(ManualClock::START);
        println!("{:>9.3} s  {what}", since_ms as f64 / 1_000.0);
        let faults = stage.seen.counted();
        for fault in faults.since(&self.faults) {
            println!("{:13}fault: {fault}", "");
        }
        self.faults = faults;
        for head in stage.heads().await {
            let seen = self.logs.entry(head.run_id.clone()).or_insert(0);
            for commit in stage.runs.load(&head.run_id, *seen).await.unwrap() {
                for event in &commit.events {
                    println!("{:13}{} of {}: {}", "", head.run_id, head.incident_id, line(event));
                }
                *seen = commit.last_seq();
            }
        }
        let effects = stage.world.effects.lock().unwrap();
        for effect in &effects[self.effects..] {
            println!(
                "{:13}EFFECT {} on {}, {} under key {}, by a clock that is {} ms ahead",
                "",
                effect.action,
                effect.target,
                effect.key,
                effect.effect_key,
                effect.own.0 as i64 - effect.at.0 as i64
            );
        }
        self.effects = effects.len();
        stage.without_faults(false);
    }
}

fn line(event: &Event) -> String {
    let name = event.name();
    match event {
        Event::AttemptStarted { step, attempt, .. } | Event::AttemptReissued { step, attempt, .. } => {
            format!("{name} step {step} attempt {attempt}")
        }
        Event::AttemptEnded { step, attempt, result, .. } => {
            format!("{name} step {step} attempt {attempt}: {}", result.outcome.as_str())
        }
        Event::StepEnded { step, outcome, reason } => {
            format!("{name} step {step}: {} {}", outcome.as_str(), reason.as_deref().unwrap_or_default())
        }
        Event::RunEnded { outcome, reason } => format!("{name}: {outcome:?} {}", reason.as_deref().unwrap_or_default()),
        _ => name.to_owned(),
    }
}
