//! Many sick workers at once.

use heal_runtime::RunOutcome;
use heal_runtime::port::{RunFilter, RunReader as _, Switches as _};
use serde_json::json;

use crate::notices::People;
use crate::rig::{Rig, STORM_PODS, incident, until};

/// `pod_restarts` of `tests/stack/guardrails.yaml`.
const BUDGET: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn many_sick_workers_are_one_group_incident_and_at_most_the_budgets_restarts() {
    let rig = Rig::alone().await;
    let people = People::subscribe(&rig, "heal-e2e-storm").await;
    let id = |worker| format!("inc-storm-{worker}");
    let sick = |worker| incident(&id(worker), "REPLACE", json!({"worker_id": format!("sick-{worker}")}));
    rig.send((0..STORM_PODS).map(sick)).await;
    until("the storm is found", async || rig.store.halts().await.unwrap().iter().any(|halt| halt.storm.is_some()))
        .await;
    // The sweep of each minute releases what is held.
    until("every run ends", async || {
        rig.tick().await;
        let mut ended = true;
        for worker in 0..STORM_PODS {
            let runs = rig.runs_of(&id(worker)).await;
            ended &= matches!(runs.as_slice(), [head] if head.status.is_terminal());
        }
        ended
    })
    .await;
    let escalated = RunFilter { outcome: Some(RunOutcome::Escalated), ..RunFilter::default() };
    let page = rig.store.list(&escalated, 500, None).await.unwrap();
    let groups = page.runs.iter().filter(|head| head.incident_id.starts_with("storm-kubernetes-"));
    assert_eq!(groups.count(), 1, "{page:#?}");
    let restarts: Vec<_> = rig.platform().effects().into_iter().filter(|call| call.target.contains("sick-")).collect();
    until("people are told of its begin and its end", async || {
        rig.tick().await;
        people.count("storm_began", "kubernetes").await == 1 && people.count("storm_over", "kubernetes").await == 1
    })
    .await;
    assert!((1..=BUDGET).contains(&restarts.len()), "{restarts:#?}");
}
