//! Laws for every playbook and every order of inputs: random plans, random results, duplicates, late and early wake-ups.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

#[path = "laws/end.rs"]
mod end;
#[path = "run/fixture.rs"]
#[allow(dead_code)]
mod fixture;
#[path = "laws/seen.rs"]
mod seen;
#[path = "laws/walk.rs"]
mod walk;

use heal_engine::autonomy::RunMode;
use heal_engine::limit;
use proptest::prelude::*;
use serde_json::{Value, json};
use walk::{Move, Walk};

/// Moves after which a run has to have ended; a run that needs more is a livelock.
const MOVES: usize = 4_000;

/// A playbook of up to 8 actions with random edges, retries, fan-outs, conditions and a verification.
fn playbook() -> impl Strategy<Value = Value> {
    let step = (
        any::<[bool; 3]>(),
        prop_oneof![Just("act"), Just("act"), Just("wait")],
        1_u32..4,
        prop_oneof![Just("stop"), Just("continue")],
        prop_oneof![Just("skip"), Just("fail"), Just("retry")],
        prop_oneof![Just("idempotent"), Just("probe"), Just("unknown")],
        prop_oneof![4 => Just(None), 1 => (0_usize..7).prop_map(Some)],
        prop_oneof![3 => Just(Value::Null), 1 => Just(json!(true)), 1 => Just(json!(false)), 1 => Just(json!("{{ flag }}"))],
        prop_oneof![3 => Just(None), 1 => (1_u32..3).prop_map(Some)],
    );
    (prop::collection::vec(step, 1..8), any::<bool>(), 20_u64..200).prop_map(|(steps, verify, timeout_seconds)| {
        let actions: Vec<_> = steps
            .into_iter()
            .enumerate()
            .map(|(index, (edges, kind, max_attempts, on_failure, on_unavailable, safety, items, condition, people))| {
                let reach = edges.iter().enumerate().filter(|(back, edge)| **edge && index > *back);
                let needs: Vec<_> = reach.map(|(back, _)| format!("s{}", index - 1 - back)).collect();
                let mut step = json!({
                    "name": format!("s{index}"), "type": kind, "needs": needs, "max_attempts": max_attempts, "timeout_seconds": 20,
                    "on_failure": on_failure, "on_unavailable": on_unavailable, "safety": safety, "parameters": {"seconds": 3},
                });
                if !condition.is_null() {
                    step["condition"] = condition;
                }
                if let (Some(min), "act") = (people, kind) {
                    step["approval"] = json!({"min": min, "expires_seconds": 60});
                }
                if let (Some(count), "act") = (items, kind) {
                    step["for_each"] = json!((0..count).collect::<Vec<_>>());
                }
                step
            })
            .collect();
        let verify = if verify { json!([{"name": "v", "until": "{{ flag }}", "within_seconds": 20}]) } else { json!([]) };
        json!({"timeout_seconds": timeout_seconds, "actions": actions, "verify": verify})
    })
}

/// A run to its end, and what holds then.
fn walk(playbook: Value, flag: bool, mode: RunMode, moves: &[Move]) -> Result<(), TestCaseError> {
    let mut walk = Walk::start(playbook, flag, mode, moves[0].3);
    for (round, one) in moves.iter().copied().cycle().enumerate().take(MOVES) {
        if walk.run.state.is_ended() {
            break;
        }
        walk.go(round, one)?;
    }
    prop_assert!(walk.run.state.is_ended(), "the run has not ended after {MOVES} moves");
    prop_assert!(walk.largest_in_flight() <= limit::IN_FLIGHT);
    let Walk { mut run, now, .. } = walk;
    end::it_stays_ended(&mut run, now)?;
    end::a_shadow_leaves_nothing(&run, mode)?;
    end::only_follow_ups_are_taken_after_the_end(&mut run, now)?;
    end::log_is_whole(&run)?;
    end::every_prefix_folds(&run)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn every_run_ends_keeps_its_order_and_is_the_fold_of_its_log(
        playbook in playbook(),
        flag in any::<bool>(),
        moves in prop::collection::vec((any::<u32>(), any::<u8>(), 0_u64..4_000, any::<bool>()), 1..60),
    ) {
        walk(playbook, flag, RunMode::Live, &moves)?;
    }

    #[test]
    fn a_shadow_run_ends_too_waits_for_nothing_and_leaves_nothing_to_do(
        playbook in playbook(),
        flag in any::<bool>(),
        moves in prop::collection::vec((any::<u32>(), any::<u8>(), 0_u64..4_000, any::<bool>()), 1..60),
    ) {
        walk(playbook, flag, RunMode::Shadow, &moves)?;
    }
}
