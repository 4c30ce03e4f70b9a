//! Logs that no engine writes: an event that cannot happen in its state does not fold. `tests/forged/*.yaml` hold the cases.

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
#[path = "run/script.rs"]
#[allow(dead_code)]
mod script;
#[path = "run/transcript.rs"]
#[allow(dead_code)]
mod transcript;

use std::fs;
use std::path::Path;

use fixture::{PlaybookCase, Run, Started};
use heal_engine::autonomy::RunMode;
use heal_engine::event::{Commit, Event};
use heal_engine::message::digest_parameters;
use heal_engine::{ApplyError, Map, Timestamp, turn};
use script::{Move, after, input};
use serde::Deserialize;
use serde_json::{Value, json};

/// A run, and what is then claimed to have happened in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    claim: String,
    playbook: PlaybookCase,
    #[serde(default)]
    variables: Map,
    #[serde(default)]
    approval: bool,
    #[serde(default)]
    escalated: bool,
    #[serde(default)]
    mode: RunMode,
    /// There is no room for the run at its start.
    #[serde(default)]
    full: bool,
    #[serde(default)]
    script: Vec<Move>,
    /// Each is tried on its own.
    events: Vec<Forged>,
}

/// Events that follow the run's log; all but the last have to fold.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Forged {
    /// As JSON has them. Where it needs them, `step` and `attempt` are those of `on`, written as in a script.
    #[serde(default)]
    after: Vec<Value>,
    event: Value,
    #[serde(default)]
    on: Option<String>,
    /// `illegal: why`, `stale: why` or `folds`.
    gives: String,
}

#[test]
fn an_event_folds_only_where_it_can_happen() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/forged");
    let (mut faults, mut tried) = (Vec::new(), 0);
    for file in fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()) {
        let cases: Vec<Case> = serde_saphyr::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        for case in cases {
            let run = play(&case);
            for forged in &case.events {
                tried += 1;
                let observed = outcome(&run, forged);
                if observed != forged.gives {
                    faults.push(format!(
                        "{}: {}: expected {}, observed {observed}",
                        case.claim, forged.event, forged.gives
                    ));
                }
            }
        }
    }
    assert!(tried >= 50, "only {tried} events were tried");
    assert!(faults.is_empty(), "{} of {tried} events\n{}", faults.len(), faults.join("\n"));
}

fn play(case: &Case) -> Run {
    let start = Timestamp(1_000_000);
    let (plan, variables) = (case.playbook.clone().into_plan(), case.variables.clone());
    if case.escalated {
        return Run::escalated(plan, variables, "too often", start);
    }
    let how = Started { mode: case.mode, is_full: case.full, ..Started::default() };
    let mut run = Run::start_as(plan, variables, case.approval, how, start, 7);
    for step in &case.script {
        run.is_full = step.full;
        let given = input(&run, step, start);
        run.take(given, after(start, step.at)).unwrap_or_else(|error| panic!("{}: {step:?}: {error}", case.claim));
    }
    run
}

fn outcome(run: &Run, forged: &Forged) -> String {
    let mut state = run.state.clone();
    let at = run.commits.last().map_or(Timestamp(0), |commit| commit.at);
    let mut fold = |event: Value| {
        let event: Event = serde_json::from_value(event.clone()).unwrap_or_else(|error| panic!("{event}: {error}"));
        let commit = Commit {
            run_id: state.run_id.clone(),
            first_seq: state.seq + 1,
            cause_id: "forged".to_owned(),
            at,
            events: vec![event],
            chain: None,
        };
        turn::fold_commit(&run.plan, &mut state, &commit)
    };
    for before in &forged.after {
        fold(filled(run, before, None)).unwrap_or_else(|error| panic!("{before} has to fold: {error}"));
    }
    match fold(filled(run, &forged.event, forged.on.as_deref())) {
        Ok(()) => "folds".to_owned(),
        Err(ApplyError::Illegal { why, .. }) => format!("illegal: {why}"),
        Err(ApplyError::Stale { why, .. }) => format!("stale: {why}"),
        Err(error) => error.to_string(),
    }
}

/// The event with its step, and with what an event of its kind needs and the case does not say.
fn filled(run: &Run, event: &Value, on: Option<&str>) -> Value {
    let fields = match event {
        Value::String(name) => json!({"event": name}),
        other => other.clone(),
    };
    let digest = digest_parameters(&Map::new());
    let mut whole = json!({
        "by": "local:ann", "reason": "forged", "incident_id": "incident-9", "percent": 50, "until": 2_000_000, "parameters": {},
        "digest": digest, "parameters_digest": digest, "approvers": [], "min": 1, "why": "forged", "reminder": true, "token": "t",
        "deadline": 9_000_000, "timeout_ms": 1_000, "due_at": 2_000_000, "cause": "failed", "outcome": "failed", "items": [1, 2, 3],
        "result": {"ending": "succeeded"},
    });
    if let Some(on) = on {
        let (step, attempt) = transcript::step_of(&run.plan, on);
        whole["step"] = json!(step.step);
        whole["attempt"] = json!(attempt);
        if let Some(item) = step.item {
            whole["item"] = json!(item);
        }
    }
    if fields["event"] == "run_ended" {
        whole["outcome"] = json!("FAILED");
    }
    for (name, value) in fields.as_object().unwrap() {
        whole[name] = value.clone();
    }
    whole
}
