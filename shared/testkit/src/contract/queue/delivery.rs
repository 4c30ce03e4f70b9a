use std::collections::BTreeSet;
use std::sync::Arc;

use heal_runtime::port::{Delivery, Message, QueueName};

use super::{Queues, VISIBILITY_MS, action, bodies, receive, receive_one, send};
use crate::contract::at_once;
use crate::contract::sample::message;

const NONE: [&str; 0] = [];

pub async fn a_sent_message_is_delivered_whole(queues: Queues) {
    let body = "{\"ticket\":\"T-1\u{202e}\u{1f600}\",\"lines\":\"a\\r\\nb\"}\n\0";
    let traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    queues.send(vec![Message { traceparent: traceparent.clone(), ..message(&action(), body) }]).await.unwrap();
    let delivery = receive_one(&queues).await;
    assert_eq!((delivery.body.as_str(), delivery.receive_count, delivery.traceparent), (body, 1, traceparent));
}

pub async fn an_empty_queue_delivers_nothing(queues: Queues) {
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.send(vec![]).await.unwrap();
    assert_eq!(receive(&queues, 10).await, vec![]);
}

pub async fn a_delivered_message_is_invisible(queues: Queues) {
    send(&queues, "a").await;
    receive_one(&queues).await;
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(VISIBILITY_MS - 1);
    assert_eq!(receive(&queues, 10).await, vec![]);
}

pub async fn an_unacknowledged_message_comes_back_after_its_visibility(queues: Queues) {
    send(&queues, "a").await;
    let first = receive_one(&queues).await;
    queues.clock.advance_ms(VISIBILITY_MS);
    let second = receive_one(&queues).await;
    assert_eq!((second.message_id, second.body, second.receive_count), (first.message_id, first.body, 2));
    assert_ne!(second.receipt, first.receipt);
}

pub async fn an_acknowledged_message_never_comes_back(queues: Queues) {
    for body in ["a", "b", "c"] {
        send(&queues, body).await;
    }
    let deliveries = receive(&queues, 2).await;
    let receipts: Vec<String> = deliveries.iter().map(|delivery| delivery.receipt.clone()).collect();
    queues.acknowledge(receipts.clone()).await.unwrap();
    // Again, together with a receipt that is no longer current.
    queues.acknowledge(receipts).await.unwrap();
    queues.clock.advance_ms(VISIBILITY_MS * 10);
    assert_eq!(bodies(&receive(&queues, 10).await), ["c"]);
    assert_eq!(queues.dead_letters(10).await.unwrap(), vec![]);
}

pub async fn a_late_acknowledgement_counts_until_the_next_delivery(queues: Queues) {
    send(&queues, "a").await;
    let delivery = receive_one(&queues).await;
    queues.clock.advance_ms(VISIBILITY_MS + 1);
    queues.acknowledge(vec![delivery.receipt]).await.unwrap();
    assert_eq!(receive(&queues, 10).await, vec![]);
}

pub async fn an_old_receipt_removes_nothing(queues: Queues) {
    send(&queues, "a").await;
    let old = receive_one(&queues).await;
    queues.clock.advance_ms(VISIBILITY_MS);
    let current = receive_one(&queues).await;
    queues.acknowledge(vec![old.receipt.clone()]).await.unwrap();
    queues.nack(&old.receipt, 0).await.unwrap();
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(VISIBILITY_MS);
    let third = receive_one(&queues).await;
    assert_eq!((third.receive_count, third.message_id), (3, current.message_id));
}

pub async fn no_more_than_asked_for_are_delivered(queues: Queues) {
    queues.send((0..5).map(|index| message(&action(), &index.to_string())).collect()).await.unwrap();
    assert_eq!(receive(&queues, 0).await, vec![]);
    assert_eq!(receive(&queues, 2).await.len(), 2);
    assert_eq!(receive(&queues, 10).await.len(), 3);
}

pub async fn a_delayed_message_is_not_delivered_before_its_delay(queues: Queues) {
    queues.send(vec![Message { delay_ms: 2_000, ..message(&action(), "later") }]).await.unwrap();
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(1_999);
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(1);
    let delivery = receive_one(&queues).await;
    assert_eq!((delivery.body.as_str(), delivery.receive_count), ("later", 1));
}

pub async fn messages_come_in_the_order_in_which_they_are_due(queues: Queues) {
    let delayed = |body: &str, delay_ms| Message { delay_ms, ..message(&action(), body) };
    queues.send(vec![delayed("third", 3_000), delayed("first", 1_000), delayed("second", 2_000)]).await.unwrap();
    queues.clock.advance_ms(500);
    send(&queues, "now").await;
    queues.clock.advance_ms(10_000);
    assert_eq!(bodies(&receive(&queues, 3).await), ["now", "first", "second"]);
    assert_eq!(bodies(&receive(&queues, 3).await), ["third"]);
}

pub async fn queues_are_separate(queues: Queues) {
    let names = [QueueName::Incidents, QueueName::Results, action(), QueueName::Action("restart_pod".to_owned())];
    queues.send(names.iter().map(|name| message(name, &name.to_string())).collect()).await.unwrap();
    for name in &names {
        let deliveries = queues.receive(name, 10, VISIBILITY_MS).await.unwrap();
        assert_eq!(bodies(&deliveries), [name.to_string()]);
    }
}

pub async fn a_thousand_messages_are_sent_at_once(queues: Queues) {
    let expected: Vec<String> = (0..1_000).map(|index| format!("{index:04}")).collect();
    queues.send(expected.iter().map(|body| message(&action(), body)).collect()).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..100 {
        let deliveries = receive(&queues, 10).await;
        seen.extend(deliveries.iter().map(|delivery| delivery.body.clone()));
        queues.acknowledge(deliveries.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    }
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), expected);
    assert_eq!(receive(&queues, 10).await, vec![]);
}

pub async fn concurrent_receivers_share_without_overlap(queues: Queues) {
    queues.send((0..300).map(|index| message(&action(), &index.to_string())).collect()).await.unwrap();
    let consume = |_| {
        let port = Arc::clone(&queues.port);
        async move {
            let mut own: Vec<Delivery> = Vec::new();
            loop {
                let next = port.receive(&action(), 7, VISIBILITY_MS).await.unwrap();
                if next.is_empty() {
                    return own;
                }
                own.extend(next);
            }
        }
    };
    let all: Vec<Delivery> = at_once((0..8).map(consume)).await.concat();
    assert_eq!(all.len(), 300);
    assert_eq!(all.iter().map(|delivery| &delivery.body).collect::<BTreeSet<_>>().len(), 300);
    assert_eq!(all.iter().map(|delivery| &delivery.receipt).collect::<BTreeSet<_>>().len(), 300);
    assert!(all.iter().all(|delivery| delivery.receive_count == 1));
}

pub async fn a_nacked_message_comes_after_its_delay(queues: Queues) {
    send(&queues, "a").await;
    let first = receive_one(&queues).await;
    queues.nack(&first.receipt, 1_000).await.unwrap();
    queues.clock.advance_ms(999);
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(1);
    let second = receive_one(&queues).await;
    assert_eq!((second.message_id, second.receive_count), (first.message_id, 2));
    queues.nack(&second.receipt, 0).await.unwrap();
    assert_eq!(receive_one(&queues).await.receive_count, 3);
}

pub async fn a_nacked_message_has_no_current_receipt(queues: Queues) {
    send(&queues, "a").await;
    let first = receive_one(&queues).await;
    queues.nack(&first.receipt, 1_000).await.unwrap();
    queues.acknowledge(vec![first.receipt.clone()]).await.unwrap();
    queues.nack(&first.receipt, 0).await.unwrap();
    queues.dead_letter(&first.receipt, "too late").await.unwrap();
    assert_eq!(receive(&queues, 10).await, vec![]);
    queues.clock.advance_ms(1_000);
    assert_eq!(bodies(&receive(&queues, 10).await), ["a"]);
}

pub async fn an_invalid_receipt_changes_nothing(queues: Queues) {
    send(&queues, "a").await;
    let delivery = receive_one(&queues).await;
    for receipt in ["", ".", "x", "1", "1.", "1.x", "1.99", "99.1", "-1.-1", &format!("{} ", delivery.receipt)] {
        queues.acknowledge(vec![receipt.to_owned()]).await.unwrap();
        queues.nack(receipt, 0).await.unwrap();
        queues.dead_letter(receipt, "no").await.unwrap();
    }
    assert_eq!(bodies(&receive(&queues, 10).await), NONE);
    queues.clock.advance_ms(VISIBILITY_MS);
    assert_eq!(receive_one(&queues).await.receive_count, 2);
}
