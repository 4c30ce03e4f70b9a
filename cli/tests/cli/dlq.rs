//! `heal dlq`, over a stack's parking queue and over a state file.

use std::sync::Arc;

use heal_embedded::{Location, Store};
use heal_runtime::port::{Message, QueueName, Receiver as _, Sender as _, SystemClock};

use crate::deployed::Deployed;
use crate::support::{heal, path};

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_of_a_stack_are_listed_with_every_queues_depth_and_put_back() {
    let stack = Deployed::new().await;
    for number in 1..=3 {
        let body = format!("body {number}");
        stack.park(&QueueName::Results, &format!("m-{number}"), &body, "there is no run x").await;
    }
    let list = stack.heal(&["dlq", "list"]).exits(0);
    for part in ["m-1", "m-3", "results", "there is no run x", "incidents", "action-restart_pod"] {
        assert!(list.stdout.contains(part), "no {part:?} in {list:#?}");
    }
    stack.heal(&["dlq", "list", "--limit", "2"]).exits(0).complains(&["there are more than 2"]);
    let lines = stack.heal(&["dlq", "list", "--json"]).exits(0).json();
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();
    let (letters, queues) = (of("dead_letter"), of("queue"));
    assert_eq!((letters.len(), queues.len()), (3, 10), "{lines:#?}");
    assert_eq!((&letters[0]["body"], &letters[0]["receive_count"]), (&"body 1".into(), &5.into()));
    assert!(queues.iter().all(|queue| queue["messages"] == 0 && queue["dead_letters"] == 0), "{queues:#?}");

    let moved = stack.heal(&["dlq", "redrive", "m-2"]).exits(0);
    assert!(moved.stdout.contains("m-2 is back"), "{moved:#?}");
    stack.heal(&["dlq", "redrive", "m-2"]).exits(1).complains(&["m-2 is not a dead letter"]);
    assert_eq!(stack.depth(&QueueName::Results).await, 1);
    stack.heal(&["dlq", "redrive", "--all"]).exits(2).complains(&["2 messages of stack", "--yes"]);
    assert_eq!(stack.depth(&QueueName::Results).await, 1);
    stack.heal(&["dlq", "redrive", "--all", "--yes"]).exits(0);
    assert_eq!(stack.depth(&QueueName::Results).await, 3);
    assert_eq!(stack.heal(&["dlq", "redrive", "--all"]).exits(0).stderr, "no dead letters\n");
}

#[tokio::test]
async fn dead_letters_of_a_state_file_are_listed_and_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state.db");
    let store = Store::open(Location::File(state.clone()), Arc::new(SystemClock)).unwrap();
    let message =
        |body: &str| Message { queue: QueueName::Incidents, body: body.to_owned(), delay_ms: 0, traceparent: None };
    store.send(vec![message("one"), message("two")]).await.unwrap();
    for delivery in store.receive(&QueueName::Incidents, 2, 60_000).await.unwrap() {
        store.dead_letter(&delivery.receipt, "cannot\u{1b}[31m be read").await.unwrap();
    }
    let list = heal(&["dlq", "list", "--state", path(&state)]).exits(0);
    assert!(list.stdout.contains("be read") && !list.stdout.contains('\u{1b}'), "{list:#?}");
    let lines = heal(&["dlq", "list", "--json", "--state", path(&state)]).exits(0).json();
    let ids: Vec<&str> = lines.iter().map(|line| line["message_id"].as_str().unwrap()).collect();
    assert_eq!(lines.iter().map(|line| &line["body"]).collect::<Vec<_>>(), ["one", "two"]);

    heal(&["dlq", "redrive", ids[0], ids[1], "--state", path(&state)]).exits(2).complains(&["--yes"]);
    heal(&["dlq", "redrive", ids[0], ids[1], "--yes", "--state", path(&state)]).exits(0);
    let back = store.receive(&QueueName::Incidents, 2, 60_000).await.unwrap();
    assert_eq!(back.iter().map(|delivery| &delivery.body).collect::<Vec<_>>(), ["one", "two"]);
    heal(&["dlq", "redrive", "nobody", "--state", path(&state)]).exits(1).complains(&["nobody is not a dead letter"]);
}

#[test]
fn redrive_needs_the_messages_or_all() {
    heal(&["dlq", "redrive", "--state", "x.db"]).exits(2).complains(&["MESSAGE"]);
    heal(&["dlq", "redrive", "m-1", "--all", "--state", "x.db"]).exits(2).complains(&["cannot be used with"]);
}
