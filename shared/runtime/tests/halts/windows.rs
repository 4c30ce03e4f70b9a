//! Windows of the guardrails, which hold as halts do.

use super::*;

/// A window that holds for ten minutes from a minute after the clock's start on.
fn window(applies_to: Selector) -> Guardrails {
    let start = ManualClock::default().now().plus_ms(60_000);
    let schedule = Schedule::Once { start, end: start.plus_ms(600_000) };
    let (name, reason) = ("release".to_owned(), "a deployment".to_owned());
    let window = Window { name, kind: WindowKind::Hold, applies_to, schedule, approvers: Vec::new(), reason };
    Guardrails { windows: vec![window], ..Guardrails::default() }
}

#[tokio::test(start_paused = true)]
async fn an_open_window_holds_a_run_from_its_acceptance_on_and_its_end_lets_it_go_on() {
    for playbooks in [vec![], vec!["lamps".to_owned()]] {
        let rig = Rig::under(window(Selector { playbooks, ..Selector::default() }));
        rig.clock.advance_ms(60_000);
        rig.incident().await;
        rig.settle().await;
        let head = rig.head().await;
        assert_eq!((head.held_by.as_deref(), head.wake_at), (Some("window-release"), None));
        assert_eq!(rig.effects(), [] as [&str; 0]);
        rig.clock.advance_ms(599_999);
        rig.settle().await;
        assert_eq!(rig.effects(), [] as [&str; 0]);
        rig.clock.advance_ms(1);
        rig.settle().await;
        assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed), "its time stood still");
        assert_eq!(rig.effects(), ["look", "act"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_that_opens_in_mid_run_holds_its_effects_and_no_others() {
    let actions = |name: &str| Selector { actions: vec![name.to_owned()], ..Selector::default() };
    for (held, effects) in [("act", &["look"][..]), ("other", &["look", "act"])] {
        let rig = Rig::under(window(actions(held)));
        rig.incident().await;
        rig.dispatch().await;
        rig.clock.advance_ms(60_000);
        rig.settle().await;
        assert_eq!(rig.effects(), effects, "a window of {held}");
        rig.clock.advance_ms(600_000);
        rig.settle().await;
        assert_eq!(rig.effects(), ["look", "act"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_window_of_another_playbook_holds_nothing() {
    let rig = Rig::under(window(Selector { playbooks: vec!["others".to_owned()], ..Selector::default() }));
    rig.clock.advance_ms(60_000);
    rig.incident().await;
    rig.settle().await;
    assert_eq!(rig.head().await.outcome, Some(RunOutcome::Completed));
}
