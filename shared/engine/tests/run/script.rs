//! The inputs of a case.

use heal_engine::event::Event;
use heal_engine::incident::{Alert, Resolution};
use heal_engine::message::{AttemptOutcome, AttemptResult, GUARDRAILS_POLICY, Hold, Violation};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{Map, Timestamp};
use serde::Deserialize;

use super::fixture::Run;
use super::transcript;

/// One input, `at` seconds after the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Move {
    pub at: f64,
    /// `name`, or `name[item]`, with `#attempt` behind it where it is not the first.
    #[serde(default)]
    pub step: Option<String>,
    /// `succeeded`, `no_op`, `denied`, `cooling_down`, `over_budget`, `unavailable`, `not_applied`, `needs_approval`, `guardrails_ask`,
    /// `asks_without_a_reason`, `transient`, `failed`, `timed_out`, `unknown`, `shadowed`, `late`, `held`, `held_after_a_death`; or `wake`,
    /// `cancel`, `approve`, `reject`, `join`, `join_another`, `resolve`, `done`, `halt`, `halt_again`, `resume`, `hold`, `release`, `admit`. An
    /// approval without a step is for the run as a whole.
    pub does: String,
    #[serde(default)]
    pub output: Map,
    #[serde(default)]
    pub warnings: Vec<String>,
    #[serde(default)]
    pub follow_up: Vec<String>,
    /// When a worker took the attempt and when it ended it, in seconds after the start.
    #[serde(default)]
    pub worked: Option<(f64, f64)>,
    /// The input is the answer to the first command of its attempt, not to the newest.
    #[serde(default)]
    pub to_first: bool,
    /// The input has to be dropped as stale.
    #[serde(default)]
    pub stale: bool,
    /// The input has to be refused by this rule.
    #[serde(default)]
    pub refused: Option<String>,
    /// There is no room for a further run.
    #[serde(default)]
    pub full: bool,
    /// The actions whose effects are halted from now on.
    #[serde(default)]
    pub halted: Option<Vec<String>>,
    /// Who approves or rejects.
    #[serde(default = "ann")]
    pub by: String,
    #[serde(default)]
    pub groups: Vec<String>,
}

fn ann() -> String {
    "ann".to_owned()
}

pub fn after(start: Timestamp, seconds: f64) -> Timestamp {
    Timestamp(start.0 + (seconds * 1_000.0) as u64)
}

/// What a halt until 500 s after the start holds a run by.
fn halted(start: Timestamp) -> Hold {
    let (by, reason) = ("local:ann".to_owned(), "a deployment".to_owned());
    Hold { by, reason, halt: Some("halt-1".to_owned()), until: Some(after(start, 500.0)) }
}

pub fn input(run: &Run, step: &Move, start: Timestamp) -> Input {
    let result = |outcome: AttemptOutcome| {
        let (step_ref, attempt) =
            transcript::step_of(&run.plan, step.step.as_deref().expect("a result names its step"));
        let (output, warnings, follow_up) = (step.output.clone(), step.warnings.clone(), step.follow_up.clone());
        let not_applied = step.does == "not_applied";
        let result = AttemptResult { output, warnings, follow_up, not_applied, ..AttemptResult::new(outcome) };
        match step.worked {
            Some((from, to)) => run.worked(step_ref, attempt, result, (after(start, from), after(start, to))),
            None => run.result(step_ref, attempt, result),
        }
    };
    let message = "it broke".to_owned();
    match step.does.as_str() {
        "wake" => Input::Wake,
        "admit" => Input::Admit,
        "cancel" => Input::CancelRequested { by: "ann".to_owned() },
        "approve" | "reject" => answer(run, step),
        "resolve" => Input::Resolved(Box::new(Resolution {
            alert: Alert::Incident { id: "incident-1".to_owned() },
            reason: "the alert was resolved".to_owned(),
        })),
        "done" => Input::FollowUpDone {
            id: run.state.follow_up.entries().first().map(|entry| entry.id.clone()).unwrap_or_default(),
            by: "ann".to_owned(),
            note: Some("the pod is up again".to_owned()),
        },
        "join_another" => Input::Joined { incident_id: "incident-3".to_owned() },
        "halt" => Input::Hold(halted(start)),
        "halt_again" => Input::Hold(Hold { halt: Some("halt-2".to_owned()), ..halted(start) }),
        "resume" => {
            let halt = run.state.held.as_ref().and_then(|held| held.hold.halt.clone());
            Input::Release { by: "local:ben".to_owned(), reason: "resumed".to_owned(), halt }
        }
        "hold" => {
            let (by, reason) = ("local:ann".to_owned(), "let me look".to_owned());
            Input::Hold(Hold { by, reason, halt: None, until: None })
        }
        "release" => Input::Release { by: "local:ann".to_owned(), reason: "looks good".to_owned(), halt: None },
        "held" | "held_after_a_death" => {
            let (step_ref, attempt) = transcript::step_of(&run.plan, step.step.as_deref().expect("it names its step"));
            run.held(step_ref, attempt, halted(start), step.does != "held")
        }
        "join" => Input::Joined { incident_id: "incident-2".to_owned() },
        "succeeded" => result(AttemptOutcome::Succeeded),
        "no_op" => result(AttemptOutcome::NoOp { reason: "nothing to do".to_owned() }),
        "denied" => {
            let violation = |text: &str| Violation {
                policy: "p".into(),
                rule: text.into(),
                msg: "too soon".into(),
                severity: "high".into(),
            };
            result(AttemptOutcome::Denied { violations: vec![violation("rate_limited")] })
        }
        "needs_approval" | "guardrails_ask" => {
            let policy = if step.does == "guardrails_ask" { GUARDRAILS_POLICY } else { "p" };
            let violation = Violation {
                policy: policy.into(),
                rule: "night".into(),
                msg: "people sleep".into(),
                severity: "low".into(),
            };
            result(AttemptOutcome::NeedsApproval { violations: vec![violation], approvers: vec!["oncall".to_owned()] })
        }
        "asks_without_a_reason" => {
            result(AttemptOutcome::NeedsApproval { violations: Vec::new(), approvers: Vec::new() })
        }
        "cooling_down" => result(AttemptOutcome::CoolingDown {
            target: "ticket-1".to_owned(),
            until: Timestamp(1_090_000),
            rule: None,
        }),
        "over_budget" => {
            let rule = Some("budget \"restarts\": 10 of 10 used, free again in 90 s".to_owned());
            let until = Timestamp(1_090_000);
            result(AttemptOutcome::CoolingDown { target: "ticket-1".to_owned(), until, rule })
        }
        "late" => {
            let (step_ref, attempt) = transcript::step_of(&run.plan, step.step.as_deref().expect("it names its step"));
            run.late(step_ref, attempt, after(start, step.at))
        }
        "unavailable" | "not_applied" => {
            result(AttemptOutcome::Unavailable { service: "ets".to_owned(), message, retry_after_ms: None })
        }
        "transient" => result(AttemptOutcome::Failed { code: "flaky".to_owned(), message, retryable: true }),
        "failed" => result(AttemptOutcome::Failed { code: "broken".to_owned(), message, retryable: false }),
        "timed_out" => result(AttemptOutcome::TimedOut { message }),
        "shadowed" => {
            let (would, targets) = ("would delete pod p-1".to_owned(), vec!["p-1".to_owned()]);
            result(AttemptOutcome::Shadowed { would, targets })
        }
        "unknown" => result(AttemptOutcome::Unknown { message }),
        other => panic!("unknown input `{other}`"),
    }
}

/// An answer to what is asked now, or to the first question of its step.
fn answer(run: &Run, step: &Move) -> Input {
    let by = Approver { identity: step.by.clone(), groups: step.groups.clone() };
    let rejection = (step.does == "reject").then(|| "not now".to_owned());
    let Some(name) = &step.step else {
        return Input::Approval(Box::new(ApprovalAnswer { rejection, ..ApprovalAnswer::of_run(by) }));
    };
    let (step_ref, _) = transcript::step_of(&run.plan, name);
    let digests: Vec<_> = run
        .commits
        .iter()
        .flat_map(|commit| &commit.events)
        .filter_map(|event| match event {
            Event::ApprovalRequested { step, digest, .. } if *step == step_ref => Some(digest.clone()),
            _ => None,
        })
        .collect();
    let digest = if step.to_first { digests.first() } else { digests.last() }.cloned();
    let name = run.plan.name(step_ref.step).to_owned();
    Input::Approval(Box::new(ApprovalAnswer { step: Some(name), item: step_ref.item, digest, by, rejection }))
}
