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
#[path = "run/owing.rs"]
mod owing;
#[path = "run/script.rs"]
mod script;
#[path = "run/transcript.rs"]
mod transcript;

use std::fs;
use std::path::Path;

use fixture::{PlaybookCase, Run, Started};
use heal_engine::autonomy::{Autonomy, RunMode};
use heal_engine::event::RunStatus;
use heal_engine::message::ActionCommand;
use heal_engine::{ApplyError, Command, Map, Timestamp};
use script::{Move, after, input};
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
    mode: RunMode,
    #[serde(default)]
    autonomy: Option<Autonomy>,
    #[serde(default)]
    requested_by: Option<String>,
    /// There is no room for the run at its start.
    #[serde(default)]
    full: bool,
    /// The actions whose effects are halted at the start.
    #[serde(default)]
    halted: Vec<String>,
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
    /// What the index finds the held run by at the end.
    #[serde(default)]
    held_by: Option<String>,
    /// Milliseconds that the run has waited in queues.
    #[serde(default)]
    waited_ms: Option<u64>,
    /// The idempotency keys of the commands that the run sent, without the run's id, each once.
    #[serde(default)]
    keys: Option<Vec<String>>,
    /// The status at the end, in the words of the remediation API.
    #[serde(default)]
    status: Option<RunStatus>,
    /// Who approved what each command carried, before the first input and after each one that changed it.
    #[serde(default)]
    approved: Option<Vec<Option<String>>>,
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
        None => {
            let how = Started {
                mode: case.mode,
                autonomy: case.autonomy.clone(),
                requested_by: case.requested_by.clone(),
                is_full: case.full,
                halted: case.halted.clone(),
            };
            Run::start_as(plan, variables, case.approval, how, start, 7)
        }
    };
    let mut approved = vec![carried(&run, start)];
    let mut keys = owed_keys(&run, start);
    if let Some(command) = commands(&run, start).find(|command| command.shadow != case.mode.is_shadow()) {
        return Err(format!("shadow is {} in the command of a run of mode {:?}", command.shadow, case.mode));
    }
    owing::check(&run, start)?;
    owing::check_wake_up(&run, start)?;
    let mut first_tokens = run.tokens.clone();
    for step in &case.script {
        let at = after(start, step.at);
        let newest = run.tokens.clone();
        if step.to_first {
            run.tokens.clone_from(&first_tokens);
        }
        let input = input(&run, step, start);
        run.is_full = step.full;
        if let Some(halted) = &step.halted {
            run.halted.clone_from(halted);
        }
        run.tokens = newest;
        let commits = run.commits.len();
        match (run.take(input, at), step.stale) {
            (Err(ApplyError::Refused { why, .. }), false) if Some(&why) == step.refused.as_ref() => {}
            (Ok(events), false) if step.refused.is_some() => {
                return Err(format!("{step:?} should be refused and gave {events:?}"));
            }
            (Ok(_), false) | (Err(ApplyError::Stale { .. }), true) => {}
            (Ok(events), true) => return Err(format!("{step:?} should be stale and gave {events:?}")),
            (Err(error), _) => return Err(format!("{step:?}: {error}")),
        }
        owing::check_now(&run, at).map_err(|fault| format!("{step:?}: {fault}"))?;
        owing::check_wake_up(&run, at).map_err(|fault| format!("{step:?}: {fault}"))?;
        if run.commits.len() > commits {
            owing::check(&run, at).map_err(|fault| format!("{step:?}: {fault}"))?;
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
    let held_by = run.state.held.as_ref().map(|held| held.holder());
    if case.held_by.is_some() && case.held_by.as_deref() != held_by {
        return Err(format!("held by: expected {:?}, observed {held_by:?}", case.held_by));
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
    let status = run.state.status();
    if case.status.is_some_and(|expected| expected != status) {
        return Err(format!("status: expected {:?}, observed {status:?}", case.status));
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

/// Who approved what the newest command carries.
fn carried(run: &Run, at: Timestamp) -> Option<String> {
    run.owed(at).into_iter().rev().find_map(|command| match command {
        Command::Perform { command, .. } => command.approved.map(|approved| approved.by.join(", ")),
        Command::Wake { .. } => None,
    })
}

fn commands(run: &Run, at: Timestamp) -> impl Iterator<Item = ActionCommand> {
    run.owed(at).into_iter().filter_map(|command| match command {
        Command::Perform { command, .. } => Some(*command),
        Command::Wake { .. } => None,
    })
}

fn owed_keys(run: &Run, at: Timestamp) -> Vec<String> {
    commands(run, at).map(|command| command.idempotency_key().trim_start_matches("run-1/").to_owned()).collect()
}
