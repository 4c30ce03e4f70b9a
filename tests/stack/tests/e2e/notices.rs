//! The function `notify`: what people are told by a topic.

use heal_engine::notice::Owed;
use heal_engine::{Event, format};
use heal_runtime::message::Inbound;
use heal_runtime::port::QueueName;
use heal_runtime::{RunStatus, Timestamp};
use heal_stack::{ACCOUNT, REGION, table};
use serde_json::{Value, json};

use crate::rig::{Rig, TOPIC, incident, until};

/// The queue behind the topic.
const INBOX: &str = "heal-e2e-people";

/// Everything that the topic has delivered since the last call: the attributes with the event, and the text.
async fn delivered(rig: &Rig) -> Vec<Value> {
    let url = format!("{}/{ACCOUNT}/{INBOX}", rig.deployment.stack.endpoint_url);
    let body = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let received = rig.aws("AmazonSQS.ReceiveMessage", &body).await;
    let messages = received["Messages"].as_array().cloned().unwrap_or_default();
    for message in &messages {
        let body = json!({"QueueUrl": url, "ReceiptHandle": message["ReceiptHandle"]});
        rig.aws("AmazonSQS.DeleteMessage", &body).await;
    }
    messages.iter().map(|message| serde_json::from_str(message["Body"].as_str().unwrap()).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_once_that_a_run_asks_and_a_repeated_message_tells_nobody() {
    let rig = Rig::shared().await;
    let stack = &rig.deployment.stack;
    rig.aws("AmazonSQS.CreateQueue", &json!({"QueueName": INBOX})).await;
    let name = TOPIC.rsplit(':').next().unwrap();
    table::query(stack, "sns", &[("Action", "CreateTopic"), ("Name", name)]).await;
    let endpoint = format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{INBOX}");
    let subscribe =
        [("Action", "Subscribe"), ("TopicArn", TOPIC), ("Protocol", "sqs"), ("Endpoint", endpoint.as_str())];
    table::query(stack, "sns", &subscribe).await;

    rig.send([incident("inc-told", "ASK_FIRST", json!({"workflow_id": "wf-told"}))]).await;
    let head = rig.wait("inc-told", |head| head.status == RunStatus::AwaitingApproval).await;
    let told = tokio::sync::Mutex::new(Vec::new());
    let count = async |event: &str| {
        let mut told = told.lock().await;
        told.extend(delivered(&rig).await);
        let of_run =
            told.iter().filter(|notice: &&Value| notice["Message"].as_str().unwrap().contains(head.run_id.as_str()));
        of_run.filter(|notice| notice["MessageAttributes"]["event"]["Value"] == event).count()
    };
    until("people are told that the run asks", async || count("approval_requested").await == 1).await;

    // The dispatcher announces a commit again whenever it is not certain that it has.
    let commits = rig.log(&head).await;
    let asks = |commit: &&heal_runtime::Commit| {
        commit.events.iter().any(|event| matches!(event, Event::ApprovalRequested { .. }))
    };
    let first_seq = commits.iter().find(asks).unwrap().first_seq;
    let owed = Owed::Commit { run_id: head.run_id.clone(), first_seq, at: Timestamp(commits[0].at.0) };
    rig.send_to(&QueueName::Notify, [format::encode(&owed)]).await;
    let digest = rig.report(&head).await.approvals.remove(0).digest;
    let (run_id, by) = (head.run_id.clone(), "iam:AIDAEXAMPLE".to_owned());
    let (step, rejection) = (Some("pause".to_owned()), Some("not tonight".to_owned()));
    rig.tell(Inbound::ApprovalAnswer { run_id, step, item: None, digest, by, rejection }).await;
    until("people are told of the decision", async || count("approval_decided").await == 1).await;
    rig.ended("inc-told").await;
    until("people are told of the end", async || count("run_ended").await == 1).await;
    assert_eq!(count("approval_requested").await, 1);
    assert_eq!(rig.effects("wf-told").len(), 0);
}
