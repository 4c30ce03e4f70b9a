//! Windows, scope, and shares of a population, as a worker keeps them.

use std::sync::atomic::Ordering;

use heal_engine::format;
use heal_guard::{
    Budget, DecisionRecord, Guardrails, Mark, Marks, Part, Schedule, ScopeRule, Selector, Verdict, Window, WindowKind,
    replay,
};
use heal_runtime::port::Clock as _;
use heal_runtime::{AttemptOutcome, AttemptResult, Safety};
use heal_testkit::memory::When;

use super::{LEASE_MS, Rig, tickets};

fn decisions(result: &AttemptResult) -> Vec<DecisionRecord> {
    result.decisions.iter().map(|record| format::decode(&record.to_string()).unwrap()).collect()
}

/// Open for ten minutes from the clock's start on.
fn window(kind: WindowKind) -> Window {
    let start = heal_testkit::memory::ManualClock::default().now();
    Window {
        name: "night".to_owned(),
        kind,
        applies_to: Selector::default(),
        schedule: Schedule::Once { start, end: start.plus_ms(600_000) },
        approvers: vec!["oncall".to_owned()],
        reason: "nobody is here".to_owned(),
    }
}

fn windows(kind: WindowKind) -> Guardrails {
    Guardrails { windows: vec![window(kind)], ..Guardrails::default() }
}

fn labelled(key: &str, value: &str) -> Marks {
    Marks { labels: [(key.to_owned(), value.to_owned())].into(), ..Marks::default() }
}

/// The rules that the attempt was denied by.
#[track_caller]
fn denied(result: &AttemptResult) -> Vec<String> {
    match &result.outcome {
        AttemptOutcome::Denied { violations } => {
            assert!(violations.iter().all(|one| one.policy == "guardrails"), "{violations:?}");
            violations.iter().map(|violation| violation.rule.clone()).collect()
        }
        other => panic!("not denied: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_open_window_denies_and_its_state_is_in_the_record() {
    let rig = Rig::bounded(Safety::Idempotent, windows(WindowKind::Deny));
    let result = rig.perform(&rig.command("1", tickets(&["a"]))).await;
    assert_eq!(denied(&result), ["window night"]);
    assert_eq!(rig.touched(), 0);
    let [record] = decisions(&result).try_into().unwrap();
    assert_eq!(record.question.guardrails, Some(windows(WindowKind::Deny).digest()));
    assert_eq!(record.question.windows[0].until, rig.clock.now().plus_ms(600_000));
    assert!(record.decision.reasons.iter().any(|reason| reason.part == Part::Windows));
    assert_eq!(rig.seen.of("guarded"), ["Windows: deny"]);
    replay(&record).unwrap();
    rig.clock.advance_ms(600_000);
    let after = rig.perform(&rig.command("2", tickets(&["a"]))).await;
    assert_eq!(after.outcome, AttemptOutcome::Succeeded, "nothing was reserved for the denied one");
}

#[tokio::test(start_paused = true)]
async fn an_open_window_asks_those_whom_it_names() {
    let rig = Rig::bounded(Safety::Idempotent, windows(WindowKind::Ask));
    let command = rig.command("1", tickets(&["a"]));
    let asked = rig.perform(&command).await;
    let AttemptOutcome::NeedsApproval { violations, approvers } = &asked.outcome else { panic!("{asked:?}") };
    assert_eq!(approvers, &["oncall"]);
    assert_eq!(violations[0].msg, "window night is open: nobody is here");
    assert_eq!(rig.touched(), 0);
    let mut approved = rig.command("2", tickets(&["a"]));
    approved.approved = Some(heal_engine::message::Approved {
        digest: approved.parameters_digest.clone(),
        by: vec!["local:anna".to_owned()],
        groups: vec!["oncall".to_owned()],
    });
    assert_eq!(rig.perform(&approved).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_window_is_not_for_what_only_reads() {
    let rig = Rig::bounded(Safety::ReadOnly, windows(WindowKind::Deny));
    *rig.script.marks.lock().unwrap() = labelled(heal_guard::IGNORE, "true");
    assert_eq!(rig.perform(&rig.command("1", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_target_that_opts_out_is_denied_with_its_rule_as_it_is_read_just_before_the_effect() {
    let team = Mark::Label("team=payments".to_owned());
    let rule = ScopeRule { applies_to: Selector::default(), opt_out: Some(team), opt_in: None };
    let rig = Rig::bounded(Safety::Idempotent, Guardrails { scope: vec![rule], ..Guardrails::default() });
    for (number, (key, value, rules)) in [
        (heal_guard::IGNORE, "true", vec!["opt_out label self-healing.io/ignore"]),
        ("team", "payments", vec!["opt_out label team=payments"]),
    ]
    .into_iter()
    .enumerate()
    {
        *rig.script.marks.lock().unwrap() = labelled(key, value);
        let result = rig.perform(&rig.command(&number.to_string(), tickets(&["a"]))).await;
        assert_eq!(denied(&result), rules);
        let [record] = decisions(&result).try_into().unwrap();
        assert_eq!(record.decision.verdict.as_str(), Verdict::Deny { rules: Vec::new() }.as_str());
        replay(&record).unwrap();
    }
    assert_eq!(rig.touched(), 0);
    *rig.script.marks.lock().unwrap() = labelled("team", "search");
    assert_eq!(rig.perform(&rig.command("3", tickets(&["a"]))).await.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_share_of_the_population_raises_the_bound_and_is_counted_once_an_attempt() {
    let budget = |percent| Budget {
        name: "share".to_owned(),
        applies_to: Selector::default(),
        key: String::new(),
        max: 1,
        max_percent: percent,
        window_seconds: 600,
        concurrent: false,
    };
    for (percent, population, touched, counted) in
        [(None, Some(40), 1, 0), (Some(10), Some(40), 4, 1), (Some(10), Some(5), 1, 1), (Some(10), None, 1, 1)]
    {
        let rig =
            Rig::bounded(Safety::Idempotent, Guardrails { budgets: vec![budget(percent)], ..Guardrails::default() });
        *rig.script.population.lock().unwrap() = population;
        let result = rig.perform(&rig.command("1", tickets(&["a", "b", "c", "d", "e"]))).await;
        assert_eq!(
            (rig.touched(), result.follow_up.len()),
            (touched, 5 - touched as usize),
            "{percent:?} {population:?}"
        );
        assert_eq!(rig.script.counted.load(Ordering::SeqCst), counted);
        let records = decisions(&result);
        let told = records[0].question.counters[1].population.map(|population| population.of);
        assert_eq!(told, population.filter(|_| percent.is_some()));
        records.iter().for_each(|record| drop(replay(record).unwrap()));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_in_flight_has_its_place_until_its_attempt_ends() {
    let at_once = Budget {
        name: "at_once".to_owned(),
        applies_to: Selector::default(),
        key: String::new(),
        max: 1,
        max_percent: None,
        window_seconds: 0,
        concurrent: true,
    };
    let rig = Rig::bounded(Safety::Idempotent, Guardrails { budgets: vec![at_once], ..Guardrails::default() });
    for run in ["1", "2"] {
        let result = rig.perform(&rig.command(run, tickets(&[run]))).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded, "the place of the last one is free");
    }
    let command = rig.command("3", tickets(&["3"]));
    rig.faults.fail_next_of("claims.finish", 1, When::Before);
    assert!(rig.deliver(&command).await.is_err());
    let full = rig.perform(&rig.command("4", tickets(&["4"]))).await;
    let AttemptOutcome::CoolingDown { rule: Some(rule), .. } = &full.outcome else { panic!("{full:?}") };
    assert!(rule.starts_with("budget \"at_once\" in flight: 1 of 1 used"), "{rule}");
    // Nobody ends it: its place is free once the attempt could not last any more.
    rig.clock.advance_ms(3_600_000 + LEASE_MS);
    let after = rig.perform(&rig.command("5", tickets(&["5"]))).await;
    assert_eq!(after.outcome, AttemptOutcome::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_effect_is_recorded_also_if_no_policy_is_asked_about_it_and_a_read_is_not() {
    for (safety, recorded) in [(Safety::Idempotent, 1), (Safety::ReadOnly, 0)] {
        let rig = Rig::judged(safety, Guardrails::default(), false);
        let result = rig.perform(&rig.command("1", tickets(&["a"]))).await;
        assert_eq!(decisions(&result).len(), recorded, "{safety:?}");
        assert!(rig.judge.0.lock().unwrap().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_left_of_a_cooldown_counts_from_when_the_store_answered() {
    let rig = Rig::new(Safety::Idempotent);
    rig.perform(&rig.command("1", tickets(&["a", "b"]))).await;
    // The second target is read after the first one.
    rig.script.reading_takes_ms.store(10_000, Ordering::SeqCst);
    let result = rig.perform(&rig.command("2", tickets(&["a", "b"]))).await;
    let reasons = decisions(&result).into_iter().flat_map(|record| record.decision.reasons);
    let texts: Vec<_> = reasons.filter(|reason| reason.part == Part::Counters).map(|reason| reason.text).collect();
    let left = |target: &str| format!("cooldown of touch for {target}: 1 of 1 used, free again in 280 s");
    assert_eq!(texts, [left("a"), left("b")]);
}
