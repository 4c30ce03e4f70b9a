//! Messages that cannot be processed, and commands that are never answered.

use heal_runtime::RunStatus;
use heal_runtime::port::QueueName;
use heal_stack::{ACCOUNT, STACK};
use serde_json::json;

use crate::rig::{Rig, incident, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_message_is_parked_alone_and_its_neighbours_are_healed() {
    let rig = Rig::shared().await;
    let poison = "{\"incident_id\": \"inc-poison\", ".to_owned();
    let neighbour = |number: usize| {
        incident(&format!("inc-beside-{number}"), "GIVE_BACK", json!({"ticket_id": format!("poison-{number}")}))
    };
    rig.send([neighbour(0), poison.clone(), neighbour(1), neighbour(2)]).await;
    for number in 0..3 {
        rig.completed(&format!("inc-beside-{number}")).await;
    }
    until("the poison message is parked", || async {
        rig.queues.depth(&rig.queues.urls().parked()).await.unwrap() > 0
    })
    .await;
    let parked = rig.queues.parked(100).await.unwrap();
    let mine: Vec<_> = parked.iter().filter(|message| message.body == poison).collect();
    assert_eq!(mine.len(), 1, "{parked:#?}");
    assert!(mine[0].reason.contains("is not JSON"), "{parked:#?}");
    assert_eq!(mine[0].queue, QueueName::Incidents);
    // The record of the run has the reason, too.
    let head = rig.ended("inc-poison").await;
    assert!(head.status == RunStatus::Failed && head.reason.as_ref().unwrap().contains("is not JSON"), "{head:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_step_in_the_dead_letter_queue_ends_its_run_with_the_reason() {
    let rig = Rig::alone().await;
    // The function fails at every start, and its queue dead-letters after two receives.
    let name = format!("{STACK}-trigger-replanning");
    let configuration = rig.configuration(&name).await;
    let mut variables = configuration["Environment"]["Variables"].clone();
    let sound = variables.clone();
    variables["HEAL_QUEUE_URL_PREFIX"] = json!("nowhere");
    rig.configure(&name, &variables).await;
    let queue = format!("{}/{ACCOUNT}/{STACK}-action-trigger_replanning", rig.deployment.stack.endpoint_url);
    let dead = format!("arn:aws:sqs:{}:{ACCOUNT}:{STACK}-action-trigger_replanning-dead", heal_stack::REGION);
    let redrive = json!({"deadLetterTargetArn": dead, "maxReceiveCount": 2}).to_string();
    let attributes = json!({"QueueUrl": queue, "Attributes": {"VisibilityTimeout": "1", "RedrivePolicy": redrive}});
    rig.aws("AmazonSQS.SetQueueAttributes", &attributes).await;

    rig.send([incident("inc-dead", "REPLAN", json!({"plan_id": "plan-1"}))]).await;
    let head = rig.ended("inc-dead").await;
    rig.configure(&name, &sound).await;

    assert_eq!(head.status, RunStatus::Failed, "{head:#?}");
    assert!(head.reason.as_ref().unwrap().contains("dead-lettered"), "{head:#?}");
    let report = rig.report(&head).await;
    assert!(report.follow_up.iter().any(|entry| entry.contains("trigger_replanning")), "{report:#?}");
    assert!(rig.platform().replannings().is_empty());
}
