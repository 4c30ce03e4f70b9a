//! Runs as data: a playbook, its inputs, and the log that has to come out. No I/O, no clock.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "run/transcript.rs"]
mod transcript;

use std::fs;
use std::path::Path;

use fixture::{PlaybookCase, Run};
use heal_engine::event::Event;
use heal_engine::incident::{Alert, Resolution};
use heal_engine::message::{AttemptOutcome, AttemptResult, Hold, Violation};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{ApplyError, Command, Map, Timestamp};
use serde::Deserialize;

/// One case: `tests/runs/*.yaml` hold lists of them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    playbook: PlaybookCase,
    #[serde(default)]
    variables: Map,
    #[serde(default)]
    approval: bool,
    /// Why the run is escalated instead of begun.
    #[serde(default)]
    escalated: Option<String>,
    #[serde(default)]
    requested_by: Option<String>,
    #[serde(default)]
    script: Vec<Move>,
    /// The log, one line an event, as `transcript::line` writes it.
    expect: Vec<String>,
    #[serde(default)]
    warnings: Option<Vec<String>>,
    #[serde(default)]
    follow_up: Option<Vec<String>>,
    /// Follow-ups that are open at the end.
    #[serde(default)]
    open: Option<u32>,
    /// Milliseconds that the run has waited in queues.
    #[serde(default)]
    waited_ms: Option<u64>,
    /// The idempotency keys of the commands that the run sent, without the run's id, each once.
    #[serde(default)]
    keys: Option<Vec<String>>,
    /// Who approved what each command carried, before the first input and after each one that changed it.
    #[serde(default)]
    approved: Option<Vec<Option<String>>>,
}

/// One input, `at` seconds after the start.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    at: f64,
    /// `name`, or `name[item]`, with `#attempt` behind it where it is not the first.
    #[serde(default)]
    step: Option<String>,
    /// `succeeded`, `no_op`, `denied`, `cooling_down`, `over_budget`, `unavailable`, `not_applied`, `needs_approval`, `transient`, `failed`,
    /// `timed_out`, `unknown`, `late`, `held`, `held_after_a_death`; or `wake`, `cancel`, `approve`, `reject`, `join`, `join_another`, `resolve`, `done`,
    /// `halt`, `halt_again`, `resume`, `hold`, `release`. An approval without a step is for the run as a whole.
    does: String,
    #[serde(default)]
    output: Map,
    #[serde(default)]
    warnings: Vec<String>,
    #[serde(default)]
    follow_up: Vec<String>,
    /// When a worker took the attempt and when it ended it, in seconds after the start.
    #[serde(default)]
    worked: Option<(f64, f64)>,
    /// The input is the answer to the first command of its attempt, not to the newest.
    #[serde(default)]
    to_first: bool,
    /// The input has to be dropped as stale.
    #[serde(default)]
    stale: bool,
    /// The input has to be refused by this rule.
    #[serde(default)]
    refused: Option<String>,
    /// Who approves or rejects.
    #[serde(default = "ann")]
    by: String,
    #[serde(default)]
    groups: Vec<String>,
}

fn ann() -> String {
    "ann".to_owned()
}

#[test]
fn every_case_gives_the_log_that_it_claims() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runs");
    let mut faults = Vec::new();
    let mut cases = 0;
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let list: Vec<Case> =
            serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for case in list {
            cases += 1;
            if let Err(fault) = check(&case) {
                faults.push(format!("{}: {}\n{fault}", file.display(), case.claim));
            }
        }
    }
    assert!(cases >= 30, "only {cases} cases were found");
    assert!(faults.is_empty(), "{} of {cases} cases do not hold\n\n{}", faults.len(), faults.join("\n\n"));
}

fn check(case: &Case) -> Result<(), String> {
    let start = Timestamp(1_000_000);
    let (plan, variables) = (case.playbook.clone().into_plan(), case.variables.clone());
    let mut run = match &case.escalated {
        Some(reason) => Run::escalated(plan, variables, reason, start),
        None => Run::start_by(plan, variables, case.approval, case.requested_by.clone(), start, 7),
    };
    let mut approved = vec![carried(&run, start)];
    let mut keys = owed_keys(&run, start);
    let mut first_tokens = run.tokens.clone();
    for step in &case.script {
        let at = after(start, step.at);
        let newest = run.tokens.clone();
        if step.to_first {
            run.tokens.clone_from(&first_tokens);
        }
        let input = input(&run, step, start);
        run.tokens = newest;
        match (run.take(input, at), step.stale) {
            (Err(ApplyError::Refused { why, .. }), false) if Some(&why) == step.refused.as_ref() => {}
            (Ok(events), false) if step.refused.is_some() => {
                return Err(format!("{step:?} should be refused and gave {events:?}"));
            }
            (Ok(_), false) | (Err(ApplyError::Stale { .. }), true) => {}
            (Ok(events), true) => return Err(format!("{step:?} should be stale and gave {events:?}")),
            (Err(error), _) => return Err(format!("{step:?}: {error}")),
        }
        for (attempt, token) in &run.tokens {
            first_tokens.entry(*attempt).or_insert_with(|| token.clone());
        }
        approved.extend(carried(&run, at).map(Some));
        keys.extend(owed_keys(&run, at));
        keys.dedup();
    }
    approved.dedup();
    if case.approved.as_ref().is_some_and(|expected| *expected != approved) {
        return Err(format!("approved: expected {:?}, observed {approved:?}", case.approved));
    }
    if case.keys.as_ref().is_some_and(|expected| *expected != keys) {
        return Err(format!("keys: expected {:?}, observed {keys:?}", case.keys));
    }
    if case.waited_ms.is_some_and(|expected| expected != run.state.waited_ms()) {
        return Err(format!("waited: expected {:?}, observed {} ms", case.waited_ms, run.state.waited_ms()));
    }
    let log: Vec<_> = run
        .commits
        .iter()
        .flat_map(|commit| commit.events.iter().map(|event| transcript::line(&run.plan, event)))
        .collect();
    if log != case.expect {
        return Err(format!("expected\n  {}\nobserved\n  {}", case.expect.join("\n  "), log.join("\n  ")));
    }
    for (name, expected, observed) in [
        ("warnings", &case.warnings, run.state.warnings.to_vec()),
        ("follow_up", &case.follow_up, run.state.follow_up.to_vec()),
    ] {
        if expected.as_ref().is_some_and(|expected| *expected != observed) {
            return Err(format!("{name}: expected {expected:?}, observed {observed:?}"));
        }
    }
    let open = run.state.follow_up.open();
    if case.open.is_some_and(|expected| expected != open) {
        return Err(format!("expected {:?} open follow-ups, observed {open}", case.open));
    }
    let folded = heal_engine::turn::fold(&run.plan, &run.commits).map_err(|error| error.to_string())?;
    if folded.as_ref() != Some(&run.state) {
        return Err("the state is not the fold of its log".to_owned());
    }
    Ok(())
}

fn after(start: Timestamp, seconds: f64) -> Timestamp {
    Timestamp(start.0 + (seconds * 1_000.0) as u64)
}

/// Who approved what the newest command carries.
fn carried(run: &Run, at: Timestamp) -> Option<String> {
    run.owed(at).into_iter().rev().find_map(|command| match command {
        Command::Perform { command, .. } => command.approved.map(|approved| approved.by.join(", ")),
        Command::Wake { .. } => None,
    })
}

fn owed_keys(run: &Run, at: Timestamp) -> Vec<String> {
    let key = |command: Command| match command {
        Command::Perform { command, .. } => Some(command.idempotency_key().trim_start_matches("run-1/").to_owned()),
        Command::Wake { .. } => None,
    };
    run.owed(at).into_iter().filter_map(key).collect()
}

/// What a halt until 500 s after the start holds a run by.
fn halted(start: Timestamp) -> Hold {
    let (by, reason) = ("local:ann".to_owned(), "a deployment".to_owned());
    Hold { by, reason, halt: Some("halt-1".to_owned()), until: Some(after(start, 500.0)) }
}

fn input(run: &Run, step: &Move, start: Timestamp) -> Input {
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
        "needs_approval" => {
            let violation = Violation {
                policy: "p".into(),
                rule: "night".into(),
                msg: "people sleep".into(),
                severity: "low".into(),
            };
            result(AttemptOutcome::NeedsApproval { violations: vec![violation], approvers: vec!["oncall".to_owned()] })
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
