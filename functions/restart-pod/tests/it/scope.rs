//! What is written on a pod, and how many pods its controller has, as they are read just before the effect.

use std::time::Duration;

use heal_clients::CallContext;
use heal_runtime::AttemptOutcome;
use heal_sandbox::seed::NAMESPACE;

use crate::{EXECUTOR, WORKER, cluster, cluster_labelled, of, worker};

#[tokio::test]
async fn a_pod_whose_owner_opted_out_is_left_alone_and_the_rule_is_named() {
    for name in [WORKER, EXECUTOR] {
        let rig = cluster_labelled(0, 0, &[("self-healing.io/ignore", "true")]);
        let result = rig.perform(&worker(&rig).await, &of(&rig, name)).await;
        let AttemptOutcome::Denied { violations } = &result.outcome else { panic!("{result:?}") };
        assert_eq!(violations[0].rule, "opt_out label self-healing.io/ignore");
        assert!(rig.platform.effects().is_empty());
    }
    let rig = cluster_labelled(0, 0, &[("self-healing.io/ignore", "false")]);
    let result = rig.perform(&worker(&rig).await, &of(&rig, WORKER)).await;
    assert_eq!(result.outcome, AttemptOutcome::Succeeded, "{result:?}");
}

/// Of a stateful set by one list; of a replica set, whose pods were listed for the restart, without a call.
#[tokio::test]
async fn the_pods_of_a_controller_are_counted() {
    for (name, calls) in [(WORKER, 1), (EXECUTOR, 0)] {
        let rig = cluster(0, 0);
        let (client, context) = (rig.kubernetes().await, CallContext::within(Duration::from_secs(5)));
        let found = client.find_pod(name, Some(NAMESPACE), &context).await.unwrap().unwrap();
        let intent = client.plan_restart(&found, &context).await.unwrap();
        let before = rig.operations().len();
        let counted = client.count_siblings(&found, &intent, &context).await.unwrap();
        assert_eq!(rig.operations().len() - before, calls, "{name}");
        let pods = rig.platform.pods();
        let owner = pods.iter().find(|pod| pod.name == name).unwrap().owner.clone();
        let expected = pods.iter().filter(|pod| pod.owner == owner).count();
        assert!(
            expected > 0 && usize::try_from(counted).unwrap() == expected,
            "{name}: {counted}, expected {expected}"
        );
    }
}
