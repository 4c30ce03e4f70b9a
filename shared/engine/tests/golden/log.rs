//! A stored run: its plan's name, then a commit a line, as `FIRST_SEQ AT EVENTS`.

use std::fmt::Write as _;

use heal_engine::event::{Commit, Event};
use heal_engine::format;
use heal_engine::message::{ActionResult, AttemptResult};
use heal_engine::report::report;
use heal_engine::state::Approver;
use heal_engine::state::Phase;
use heal_engine::turn::{self, ApprovalAnswer, Input, Turn};
use heal_engine::{Command, Plan, RunId, State, Timestamp};
use serde_json::json;

/// Inputs of one run, far over what any of these needs.
const TURNS: usize = 200;

pub struct Log {
    /// `None` for a rejected message.
    plan: Option<Plan>,
    commits: Vec<Commit>,
}

impl Log {
    pub fn parse(text: &str) -> Self {
        let mut lines = text.lines();
        let plan = lines.next().and_then(|line| line.strip_prefix("plan ")).unwrap();
        let commit = |line: &str| {
            let mut parts = line.splitn(3, ' ');
            let mut part = || parts.next().unwrap();
            let (first_seq, at) = (part().parse().unwrap(), Timestamp(part().parse().unwrap()));
            let events: Vec<Event> = format::decode(part()).unwrap_or_else(|error| panic!("{line}: {error:?}"));
            Commit { run_id: RunId::new("run-1"), first_seq, cause_id: "golden".to_owned(), at, events, chain: None }
        };
        Self { plan: (plan != "-").then(|| super::plan(plan)), commits: lines.map(commit).collect() }
    }

    pub fn text(plan: &str, commits: &[Commit]) -> String {
        let mut text = format!("plan {plan}\n");
        for commit in commits {
            writeln!(text, "{} {} {}", commit.first_seq, commit.at.0, format::encode(&commit.events)).unwrap();
        }
        text
    }

    /// The report of the run after it has gone on to its end.
    pub fn finish(mut self) -> String {
        if let Some(plan) = &self.plan {
            let mut state = turn::fold(plan, &self.commits).unwrap().expect("a run that started");
            let mut now = self.commits.last().unwrap().at;
            for _ in 0..TURNS {
                if state.is_ended() {
                    break;
                }
                let input = next_input(plan, &state, &mut now);
                let seq = state.seq;
                let Turn { events, .. } = turn::take(plan, &mut state, input, now, 7).expect("a run goes on");
                let run_id = state.run_id.clone();
                self.commits.push(Commit {
                    run_id,
                    first_seq: seq + 1,
                    cause_id: "golden".to_owned(),
                    at: now,
                    events,
                    chain: None,
                });
            }
            assert!(state.is_ended(), "no end after {TURNS} inputs");
        }
        let report = report(self.plan.as_ref(), &RunId::new("run-1"), &self.commits).unwrap();
        format!("{}\n", serde_json::to_string_pretty(&report).unwrap())
    }
}

/// Approval where it is awaited, success for every attempt, else the passing of time.
fn next_input(plan: &Plan, state: &State, now: &mut Timestamp) -> Input {
    if state.phase == Phase::AwaitingApproval {
        return Input::Approval(Box::new(ApprovalAnswer::of_run(Approver::new("ann"))));
    }
    let performs = heal_engine::decide::decide(plan, state, *now).into_iter().find_map(|command| match command {
        Command::Perform { command, .. } => Some(command),
        Command::Wake { .. } => None,
    });
    let Some(command) = performs else {
        *now = state.wake_at().expect("a live run waits for a moment").max(*now);
        return Input::Wake;
    };
    *now = now.plus_ms(10);
    let output = json!({"worker_unhealthy": false, "state": "RUNNING"});
    Input::Result(Box::new(ActionResult {
        run_id: command.run_id,
        step: command.step,
        item: command.item,
        attempt: command.attempt,
        token: command.token,
        finished_at: *now,
        started_at: None,
        result: AttemptResult::succeeded(serde_json::from_value(output).unwrap()),
    }))
}
