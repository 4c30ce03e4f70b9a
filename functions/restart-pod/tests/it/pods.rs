//! A pod is replaced, or left alone.

use heal_restart_pod::spec;
use heal_runtime::AttemptOutcome;
use heal_sandbox::kubernetes::{Owner, Pod, Replacement};
use heal_sandbox::seed::{NAMESPACE, Seed};
use serde_json::{Value, json};

use crate::rig::{denied, failed, of_run, short};
use crate::{EXECUTOR, WORKER, cluster, logs, of, worker};

fn owned(name: &str, replacement: Replacement) -> Pod {
    let owner = Owner { kind: "StatefulSet".to_owned(), name: "worker".to_owned() };
    Pod { owner: Some(owner), replacement, ready: false, ..Pod::new(NAMESPACE, name) }
}

#[tokio::test]
async fn a_pod_is_deleted_by_its_uid_and_its_replacement_is_waited_for() {
    for name in [WORKER, EXECUTOR] {
        logs::collect();
        let rig = cluster(200, 100);
        let before = rig.platform.pods();
        let uid = &before.iter().find(|pod| pod.name == name).unwrap().uid;
        let result = rig.perform(&worker(&rig).await, &of(&rig, name)).await;
        assert_eq!(result.outcome, AttemptOutcome::Succeeded);
        let deletion: Value = serde_json::from_str(&rig.calls_of("delete_pod")[0].body).unwrap();
        assert_eq!(deletion["preconditions"]["uid"], json!(uid));
        let after = rig.platform.pods();
        let new = after.iter().find(|pod| before.iter().all(|old| old.uid != pod.uid)).unwrap();
        assert!(new.ready);
        assert_eq!(result.output["replaced_by"], json!(new.name));
        assert_eq!(name == new.name, name == WORKER, "a stateful set gives the name again");
        assert_eq!(rig.platform.effects().len(), 1);
        let lines = logs::of("pod_restarted");
        assert_eq!(lines.len(), 1);
        logs::assert_common_fields(&lines[0], "restart_pod");
    }
}

#[tokio::test]
async fn a_pod_that_does_not_come_back_is_timed_out() {
    for (replacement, seen) in [(Replacement::Unhealthy, "CrashLoopBackOff"), (Replacement::None, "none was seen")] {
        logs::collect();
        let rig = cluster(0, 0);
        rig.platform.seed(Seed { pods: vec![owned("worker-1", replacement)], ..Seed::default() }).unwrap();
        let result = rig.perform(&worker(&rig).await, &short(&rig, of(&rig, "worker-1"))).await;
        let AttemptOutcome::TimedOut { message } = &result.outcome else { panic!("{result:?}") };
        assert!(message.contains("no ready one") && message.contains(seen), "{message}");
        assert!(result.follow_up[0].contains("\"worker-1\""), "{:?}", result.follow_up);
        assert_eq!(logs::of("restart_pod_failed").len(), 1);
        assert_eq!(rig.platform.effects().len(), 1);
    }
}

#[tokio::test]
async fn a_pod_without_a_controller_is_left_alone() {
    logs::collect();
    let rig = cluster(0, 0);
    rig.platform
        .seed(Seed { pods: vec![Pod { ready: false, ..Pod::new(NAMESPACE, "lonely") }], ..Seed::default() })
        .unwrap();
    let result = rig.perform(&worker(&rig).await, &of(&rig, "lonely")).await;
    let (code, message) = failed(&result);
    assert!(code == "precondition_failed" && message.contains("no controller"), "{message}");
    assert_eq!(rig.platform.pods().len(), 1);
    assert_eq!(logs::of("restart_pod_failed").len(), 1);
}

#[tokio::test]
async fn without_a_namespace_the_configured_one_is_used() {
    let rig = cluster(0, 0);
    let result = rig.perform(&worker(&rig).await, &rig.command(&spec(), json!({"pod_name": "worker-1"}))).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded);
    assert_eq!(rig.calls_of("delete_pod")[0].target, format!("{NAMESPACE}/worker-1"));
}

#[tokio::test]
async fn a_site_may_ask_its_policy_about_it() {
    let rig = cluster(0, 0);
    rig.policy.decide_by(|_| crate::rig::deny("not_at_noon"));
    assert_eq!(denied(&rig.perform(&worker(&rig).await, &of(&rig, "worker-1")).await), ["not_at_noon"]);
    assert!(rig.platform.effects().is_empty());
    assert_eq!(rig.policy.asked()[0].resource.action, "restart_pod");
}

#[tokio::test]
async fn a_name_that_would_be_another_path_is_refused_before_any_call() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    let odd = ["{{ 7*7 }}", "../", "%2e%2e", "a/b", "x\r\nHost: y", "a\u{202e}b", "..", "worker-1?force=1"];
    for (number, name) in odd.iter().enumerate() {
        for (field, parameters) in [
            ("pod_name", json!({"pod_name": name, "namespace": NAMESPACE})),
            ("namespace", json!({"pod_name": "worker-1", "namespace": name})),
        ] {
            let command = of_run(&rig.command(&spec(), parameters), &format!("{field}-{number}"));
            let result = rig.perform(&worker, &command).await;
            let (code, message) = failed(&result);
            assert!(code == "bad_parameters" && message.starts_with(field), "{name:?}: {message}");
        }
    }
    assert!(rig.platform.calls().is_empty());
}

#[tokio::test]
async fn a_call_that_names_no_pod_touches_nothing() {
    let rig = cluster(0, 0);
    let worker = worker(&rig).await;
    for parameters in
        [json!({}), json!({"pod_name": ""}), json!({"pod_name": 7}), json!({"pod_name": "p", "force": "yes"})]
    {
        let command = of_run(&rig.command(&spec(), parameters.clone()), &parameters.to_string());
        assert_eq!(failed(&rig.perform(&worker, &command).await).0, "bad_parameters");
    }
    assert!(rig.platform.calls().is_empty());
}
