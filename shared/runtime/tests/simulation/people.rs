//! What comes from outside: incidents, and what people order and answer.

use heal_engine::state::follow_up::ESCALATION;
use heal_guard::{AutonomyLevel, AutonomySetting, Halt, HaltScope};
use heal_runtime::message::Inbound;
use heal_runtime::port::{AutonomyStore as _, Clock as _, Message, QueueName, RunHead, Sender as _, Switches as _};
use serde_json::json;

use super::Stage;
use crate::approvals;
use crate::playbooks::ACTIONS;

impl Stage {
    /// A new incident, or one that was sent before.
    pub(super) async fn send_incident(&mut self) {
        let number = self.rng.below(12);
        let kind = ["CHAIN", "FAN", "ASK"][self.rng.below(3) as usize];
        let incident_id = format!("{kind}-{number}");
        let flag = [json!(true), json!(false), json!("false"), json!("yes")][(number % 4) as usize].clone();
        let severity = ["LOW", "HIGH", "CRITICAL"][number as usize % 3];
        let body = json!({
            "incident_id": incident_id, "incident_type": kind,
            "severity": severity, "flag": flag,
            "target": format!("t{}", number % 3), "targets": ["u1", "u2", format!("u{number}")],
        });
        self.send(incident_id, body.to_string(), self.rng.below(2_000)).await;
    }

    /// Many targets of one service fall sick.
    pub(super) async fn send_storm(&mut self) -> &'static str {
        let first = self.rng.below(6);
        for number in first..first + 2 + self.rng.below(4) {
            let incident_id = format!("GALE-{number}-{}", self.rng.below(3));
            let body = json!({
                "incident_id": incident_id, "incident_type": "GALE", "severity": "LOW",
                "target": format!("s{number}"), "worker_id": format!("s{number}"),
            });
            self.send(incident_id, body.to_string(), self.rng.below(2_000)).await;
        }
        "many targets fall sick"
    }

    async fn send(&mut self, incident_id: String, body: String, delay_ms: u64) {
        let message = Message { queue: QueueName::Incidents, body, delay_ms, traceparent: None };
        match self.queues.send(vec![message]).await {
            Ok(()) => self.incidents.insert(incident_id),
            Err(_) => self.perhaps.insert(incident_id),
        };
    }

    /// Somebody acknowledges a storm.
    pub(super) async fn acknowledge_something(&self) -> &'static str {
        let heads = self.heads().await;
        let storms: Vec<_> = heads.iter().filter(|head| head.incident_id.starts_with("storm-")).collect();
        if let Some(head) = storms.get(self.rng.below(storms.len() as u64) as usize) {
            let (run_id, id, by) = (head.run_id.clone(), ESCALATION.to_owned(), "local:chance".to_owned());
            let body = Inbound::FollowUpDone { run_id, id, by, note: None }.to_body();
            let message = Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None };
            if self.queues.send(vec![message]).await.is_ok() {
                self.seen.note("storm acknowledged");
            }
        }
        "somebody acknowledges a storm"
    }

    /// Somebody changes how far the engine may go alone with a playbook.
    pub(super) async fn set_autonomy(&self) {
        // Mostly the engine acts, or the courses would show little.
        let level = match self.rng.below(8) {
            0 => AutonomyLevel::Off,
            1 => AutonomyLevel::Shadow,
            _ => AutonomyLevel::Auto,
        };
        let playbook = if self.rng.chance(50) { "chain" } else { "fan" };
        let (by, reason) = ("local:chance".to_owned(), "because".to_owned());
        let setting = AutonomySetting {
            playbook: playbook.to_owned(),
            level,
            by,
            reason,
            since: self.clock.now(),
            history: Vec::new(),
        };
        let _ = self.autonomy.set(&setting).await;
    }

    pub(super) async fn cancel_something(&self) {
        let Some(head) = self.heads().await.into_iter().find(|head| !head.status.is_terminal()) else { return };
        if self.rng.chance(15) {
            let body = Inbound::Cancel { run_id: head.run_id, by: "chance".to_owned() }.to_body();
            let _ = self
                .queues
                .send(vec![Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None }])
                .await;
        }
    }

    /// Halts a part of the world for up to a minute, or ends a halt.
    pub(super) async fn halt_something(&mut self) {
        let now = self.clock.now();
        if self.rng.chance(50) {
            let index = self.rng.below(self.halts.len() as u64) as usize;
            let Some((halt, ended)) = self.halts.get_mut(index) else { return };
            *ended = (*ended).min(now);
            let _ = self.switches.resume(&halt.id, now).await;
            return;
        }
        let scope = match self.rng.below(4) {
            0 => HaltScope::All,
            1 => HaltScope::Action { name: ACTIONS[self.rng.below(3) as usize].0.to_owned() },
            2 => HaltScope::Target { name: format!("t{}", self.rng.below(4)) },
            _ => HaltScope::Playbook { name: if self.rng.chance(50) { "chain" } else { "fan" }.to_owned() },
        };
        let halt = Halt {
            id: format!("halt-{}", self.rng.below(u64::MAX)),
            scope,
            since: now,
            until: now.plus_ms(1 + self.rng.below(60_000)),
            reason: "chance".to_owned(),
            by: "local:chance".to_owned(),
            storm: None,
        };
        // If the answer is lost, nobody knows whether it halts.
        if self.switches.halt(&halt).await.is_ok_and(|stored| stored) {
            let until = halt.until;
            self.halts.push((halt, until));
        }
    }

    /// A person holds a run, or releases it.
    pub(super) async fn hold_something(&self) {
        for head in self.heads().await {
            if !head.status.is_terminal() && self.rng.chance(20) {
                self.person(&head, self.rng.chance(50)).await;
            }
        }
    }

    /// Some people answer some of what they are asked.
    pub(super) async fn answer_something(&mut self) {
        for head in self.heads().await {
            if head.status.is_terminal() || self.rng.chance(60) {
                continue;
            }
            for answer in approvals::answers(&self.rng, &*self.runs, &head.run_id).await {
                self.approvals.extend(approvals::Given::read(&answer));
                let message =
                    Message { queue: QueueName::Results, body: answer.to_body(), delay_ms: 0, traceparent: None };
                let _ = self.queues.send(vec![message]).await;
            }
        }
    }

    /// Releases every run that a person holds.
    pub async fn release_all(&self) {
        for head in self.heads().await {
            if head.held_by.as_ref().is_some_and(|holder| holder.contains(':')) {
                self.person(&head, false).await;
            }
        }
    }

    async fn person(&self, head: &RunHead, holds: bool) {
        let (run_id, by, reason) = (head.run_id.clone(), "local:chance".to_owned(), "chance".to_owned());
        let body = if holds {
            Inbound::Hold { run_id, by, reason }.to_body()
        } else {
            Inbound::Release { run_id, by, reason }.to_body()
        };
        let message = Message { queue: QueueName::Results, body, delay_ms: 0, traceparent: None };
        let _ = self.queues.send(vec![message]).await;
    }
}
