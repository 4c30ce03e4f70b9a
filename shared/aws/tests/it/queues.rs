//! The queues of a stack over a local SQS: found by name, and the messages that nobody could carry out.

use std::collections::BTreeSet;

use heal_aws::queue::dead::Unworkable;
use heal_aws::{Error, Queues};
use heal_runtime::port::{Message, QueueName};
use heal_stack::{MiniStack, table};
use serde_json::json;

async fn park(queues: &Queues, message_id: &str, body: &str) {
    let message = Unworkable {
        queue: &QueueName::Incidents,
        message_id,
        body,
        receive_count: 5,
        traceparent: None,
        reason: "it was too much",
    };
    queues.park(&message).await.unwrap();
}

/// What lies on the incidents queue, which is empty afterwards.
async fn incidents(queues: &Queues) -> Vec<String> {
    let url = queues.urls().url_of(&QueueName::Incidents);
    let receive = json!({"QueueUrl": url, "MaxNumberOfMessages": 10});
    let answer = table::call(MiniStack::shared(), "AmazonSQS.ReceiveMessage", &receive).await;
    let messages = answer["Messages"].as_array().cloned().unwrap_or_default();
    let mut bodies: Vec<String> = messages.iter().map(|message| message["Body"].as_str().unwrap().to_owned()).collect();
    bodies.sort();
    bodies
}

#[tokio::test]
async fn a_stack_is_found_by_its_name() {
    let ministack = MiniStack::shared();
    let name = table::unique("stack");
    table::call(ministack, "AmazonSQS.CreateQueue", &json!({"QueueName": format!("{name}-incidents")})).await;
    let queues = Queues::of_stack(&table::session(ministack).await, &name).await.unwrap();
    assert!(queues.urls().url_of(&QueueName::Results).ends_with(&format!("/{name}-results")), "{queues:?}");
    let message = Message { queue: QueueName::Incidents, body: "hello".to_owned(), delay_ms: 0, traceparent: None };
    assert!(!queues.send_one(&message).await.unwrap().is_empty());
    assert_eq!(incidents(&queues).await, ["hello"]);
}

#[tokio::test]
async fn a_stack_that_is_not_there_is_named_with_region_and_endpoint() {
    let ministack = MiniStack::shared();
    let session = table::session(ministack).await;
    let error = Queues::of_stack(&session, "nobody-s").await.unwrap_err();
    assert!(matches!(error, Error::NotFound { .. }), "{error:?}");
    let text = error.to_string();
    for part in ["stack nobody-s", heal_stack::REGION, &ministack.endpoint_url, "there is no queue nobody-s-incidents"]
    {
        assert!(text.contains(part), "no {part:?} in {text}");
    }
    for wrong in ["", "1st", "a/b", "a_b", &"x".repeat(200)] {
        let error = Queues::of_stack(&session, wrong).await.unwrap_err();
        assert!(matches!(error, Error::Invalid { field: "stack", .. }), "{error:?}");
    }
}

#[tokio::test]
async fn what_one_listing_has_seen_the_next_one_sees_too() {
    let queues = table::queues(MiniStack::shared(), &["incidents", "dead"]).await;
    for number in 10..35 {
        park(&queues, &format!("m-{number}"), "body").await;
    }
    let first = queues.parked(100).await.unwrap();
    assert_eq!(first.iter().map(|letter| &letter.message_id).collect::<BTreeSet<_>>().len(), 25);
    assert_eq!(queues.parked(100).await.unwrap(), first);
    assert_eq!(queues.parked(3).await.unwrap().len(), 3);
    assert_eq!(queues.parked(0).await.unwrap(), []);
    assert_eq!((first[0].receive_count, first[0].reason.as_str()), (5, "it was too much"));
}

#[tokio::test]
async fn only_what_is_named_goes_back_to_its_queue() {
    let queues = table::queues(MiniStack::shared(), &["incidents", "dead"]).await;
    for (message_id, body) in [("m-1", "one"), ("m-2", "two"), ("m-3", "three"), ("m-3", "three again")] {
        park(&queues, message_id, body).await;
    }
    assert!(queues.redrive("m-1").await.unwrap());
    assert!(!queues.redrive("m-1").await.unwrap());
    assert_eq!(incidents(&queues).await, ["one"]);
    // The others are not hidden by the look for the first.
    let wanted = ["m-3", "m-4"].map(ToOwned::to_owned).into();
    assert_eq!(queues.redrive_all(&wanted).await.unwrap(), BTreeSet::from(["m-3".to_owned()]));
    assert_eq!(incidents(&queues).await, ["three", "three again"]);
    let left = queues.parked(10).await.unwrap();
    assert_eq!(left.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), ["two"]);
    assert_eq!(queues.depth(&queues.urls().parked()).await.unwrap(), 1);
}
