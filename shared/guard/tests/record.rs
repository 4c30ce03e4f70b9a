//! Decisions made again from their records: random ones, and those that earlier builds recorded.
//!
//! `golden/decision*.json` holds one record a file. Once committed, a file is never changed: it is what is in the log of an installation out
//! there. `HEAL_GOLDEN=add` writes a missing file.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::{Path, PathBuf};

use heal_engine::format;
use heal_guard::{
    Counter, DecisionRecord, Digest, Effect, Halt, HaltScope, OpenWindow, OutOfScope, PolicyAnswer, PolicyFacts,
    Population, Question, Reason, Subject, Timestamp, Verdict, Violation, WindowKind, decide, replay,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

/// Random questions whose decisions are made again.
const QUESTIONS: u32 = 1_000;
const NOW: Timestamp = Timestamp(1_795_465_260_123);

fn name() -> impl Strategy<Value = String> {
    prop_oneof![Just("restart_pod".to_owned()), Just("worker-1".to_owned()), Just("é \"x\"\n".to_owned())]
}

/// Before, at and after [`NOW`].
fn moment() -> impl Strategy<Value = Timestamp> {
    (0..5_u64).prop_map(|offset| Timestamp(NOW.0 - 2 + offset))
}

fn scope() -> impl Strategy<Value = HaltScope> {
    prop_oneof![
        Just(HaltScope::All),
        name().prop_map(|name| HaltScope::Playbook { name }),
        name().prop_map(|name| HaltScope::Action { name }),
        name().prop_map(|name| HaltScope::Service { name }),
        name().prop_map(|name| HaltScope::Target { name }),
    ]
}

fn halt() -> impl Strategy<Value = Halt> {
    (scope(), moment(), moment(), name()).prop_map(|(scope, since, until, by)| Halt {
        id: "halt-1".to_owned(),
        scope,
        since,
        until,
        reason: "a deployment is under way".to_owned(),
        by,
        storm: None,
    })
}

fn violation() -> impl Strategy<Value = Violation> {
    (name(), name()).prop_map(|(rule, msg)| Violation {
        policy: "playbook_validation".to_owned(),
        rule,
        msg,
        severity: "high".to_owned(),
    })
}

fn policy() -> impl Strategy<Value = PolicyAnswer> {
    let violations = || vec(violation(), 0..3);
    prop_oneof![
        Just(PolicyAnswer::NotAsked),
        name().prop_map(|source| PolicyAnswer::Allow { source }),
        (name(), violations()).prop_map(|(source, violations)| PolicyAnswer::Deny { source, violations }),
        (name(), violations(), vec(name(), 0..3)).prop_map(|(source, violations, approvers)| {
            PolicyAnswer::RequireApproval { source, violations, approvers }
        }),
    ]
}

fn counter() -> impl Strategy<Value = Counter> {
    (name(), name(), 0..4_u32, 1..4_u32, option::of((1..=100_u32, 0..9_u32)), option::of(moment())).prop_map(
        |(name, key, used, limit, population, full_until)| {
            let population = population.map(|(percent, of)| Population { percent, of });
            Counter { name, key, used, limit, population, full_until }
        },
    )
}

fn window() -> impl Strategy<Value = OpenWindow> {
    let kind = prop_oneof![Just(WindowKind::Hold), Just(WindowKind::Deny), Just(WindowKind::Ask)];
    (name(), kind, moment(), vec(name(), 0..2), name()).prop_map(|(name, kind, until, approvers, reason)| OpenWindow {
        name,
        kind,
        until,
        approvers,
        reason,
    })
}

fn out_of_scope() -> impl Strategy<Value = OutOfScope> {
    (name(), name()).prop_map(|(rule, text)| OutOfScope { rule, text })
}

fn question() -> impl Strategy<Value = Question> {
    let effect =
        (name(), name(), name(), name(), name()).prop_map(|(action, service, playbook, target, workflow_id)| Effect {
            action,
            service,
            playbook,
            target,
            workflow_id,
        });
    let guarded = (vec(window(), 0..3), vec(out_of_scope(), 0..3));
    (effect, any::<bool>(), vec(halt(), 0..3), guarded, policy(), vec(counter(), 0..4)).prop_map(
        |(effect, has_guardrails, halts, (windows, out_of_scope), policy, counters)| Question {
            windows,
            out_of_scope,
            guardrails: has_guardrails.then(|| Digest::of(b"guardrails")),
            halts,
            policy,
            counters,
            ..Question::new(effect, NOW)
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(QUESTIONS))]

    #[test]
    fn a_stored_decision_is_made_again_without_a_difference(question in question()) {
        let decision = decide(&question);
        let stored = format::encode(&DecisionRecord::new(question, decision.clone()));
        let read: DecisionRecord = format::decode(&stored).unwrap();
        prop_assert_eq!(replay(&read), Ok(decision));
    }
}

/// A denial in which every part speaks and every field is set.
fn full() -> DecisionRecord {
    let effect = Effect {
        action: "restart_pod".to_owned(),
        service: "kubernetes".to_owned(),
        playbook: "worker_failure_recovery".to_owned(),
        target: "worker-1".to_owned(),
        workflow_id: "wf-1".to_owned(),
    };
    let violation = Violation {
        policy: "playbook_validation".to_owned(),
        rule: "restart_workflow_terminal_state".to_owned(),
        msg: "the workflow has ended".to_owned(),
        severity: "high".to_owned(),
    };
    let counter = |name: &str, used, full_until| Counter {
        name: name.to_owned(),
        key: "worker-1".to_owned(),
        used,
        limit: 1,
        population: None,
        full_until,
    };
    let question = Question {
        guardrails: Some(Digest::of(b"guardrails")),
        halts: vec![Halt {
            id: "halt-1".to_owned(),
            scope: HaltScope::Action { name: "restart_pod".to_owned() },
            since: Timestamp(1),
            until: NOW,
            reason: "a deployment is under way".to_owned(),
            by: "local:anna".to_owned(),
            storm: None,
        }],
        policy: PolicyAnswer::Deny { source: "server".to_owned(), violations: vec![violation] },
        counters: vec![counter("cooldown of restart_pod", 0, None), counter("pods_per_hour", 1, Some(NOW.plus_ms(9)))],
        ..Question::new(effect, NOW)
    };
    let decision = decide(&question);
    let policy_facts = PolicyFacts {
        workflow_state: "FAILED".to_owned(),
        ticket_status: "RUNNING".to_owned(),
        touched_ms_ago: Some(61_000),
    };
    DecisionRecord { policy_facts, policy_took_ms: Some(3), ..DecisionRecord::new(question, decision) }
}

fn bare() -> DecisionRecord {
    let question = Question::new(Effect::new("restart_pod", "worker_failure_recovery", "worker-1"), NOW);
    let decision = decide(&question);
    DecisionRecord::new(question, decision)
}

/// A decision with everything that windows, scope and a share of a population add.
fn guarded() -> DecisionRecord {
    let question = Question {
        windows: vec![
            OpenWindow {
                name: "night".to_owned(),
                kind: WindowKind::Ask,
                until: NOW.plus_ms(60_000),
                approvers: vec!["oncall".to_owned()],
                reason: "nobody watches".to_owned(),
            },
            OpenWindow {
                name: "move".to_owned(),
                kind: WindowKind::Deny,
                until: NOW.plus_ms(1),
                approvers: Vec::new(),
                reason: String::new(),
            },
        ],
        out_of_scope: vec![OutOfScope {
            rule: "opt_out label team=payments".to_owned(),
            text: "worker-1 has the label team=payments".to_owned(),
        }],
        counters: vec![Counter {
            name: "budget \"pods\"".to_owned(),
            key: String::new(),
            used: 1,
            limit: 3,
            population: Some(Population { percent: 10, of: 37 }),
            full_until: None,
        }],
        ..Question::new(Effect::new("restart_pod", "worker_failure_recovery", "worker-1"), NOW)
    };
    let decision = decide(&question);
    DecisionRecord::new(question, decision)
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

#[expect(clippy::disallowed_methods, reason = "a switch of the test, not configuration")]
fn is_adding() -> bool {
    std::env::var("HEAL_GOLDEN").is_ok_and(|value| value == "add")
}

#[test]
fn records_are_written_as_the_golden_files_have_them() {
    for (name, record) in
        [("decision-full-v1.json", full()), ("decision-bare-v1.json", bare()), ("decision-guarded-v1.json", guarded())]
    {
        let (path, text) = (golden(name), format::encode(&record));
        if is_adding() && !path.exists() {
            std::fs::write(&path, &text).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "{}", path.display());
    }
}

#[test]
fn every_golden_record_gives_the_same_decision_again() {
    let mut replayed = 0;
    for file in std::fs::read_dir(golden("")).unwrap() {
        let path = file.unwrap().path();
        let record: DecisionRecord = format::decode(&std::fs::read_to_string(&path).unwrap()).unwrap();
        replay(&record).unwrap_or_else(|difference| panic!("{}: {difference}", path.display()));
        replayed += 1;
    }
    assert!(replayed > 1 || is_adding(), "only {replayed} golden records");
}

#[test]
fn a_changed_record_is_a_named_difference() {
    let subject = |change: fn(&mut DecisionRecord)| {
        let mut record = full();
        change(&mut record);
        replay(&record).map(drop).map_err(|difference| difference.subject)
    };
    assert_eq!(subject(|_| ()), Ok(()));
    assert_eq!(subject(|record| record.decision.verdict = Verdict::Proceed), Err(Subject::Verdict));
    assert_eq!(subject(|record| record.question.counters[1].full_until = None), Err(Subject::Verdict));
    assert_eq!(subject(|record| drop(record.decision.reasons.pop())), Err(Subject::Parts));
    let part = full().decision.reasons[0].part;
    let reword = |record: &mut DecisionRecord| record.decision.reasons[0].text.push('!');
    assert_eq!(subject(reword), Err(Subject::Reason(part)));
}

#[test]
fn a_difference_says_what_was_recorded_and_what_is_decided_now() {
    let mut record = bare();
    record.question.policy = PolicyAnswer::Deny { source: "bundled".to_owned(), violations: Vec::new() };
    let difference = replay(&record).unwrap_err();
    assert_eq!(
        difference.to_string(),
        r#"the verdict: the record says {"verdict":"proceed"}, decided again it is {"verdict":"deny","rules":[]}"#
    );
}

#[test]
fn the_record_of_a_decision_to_proceed_has_no_reasons_and_replays_with_all_of_them() {
    let record = bare();
    assert_eq!(record.decision.reasons, Vec::<Reason>::new());
    assert!(!replay(&record).unwrap().reasons.is_empty());
}
