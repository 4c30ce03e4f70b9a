use std::sync::Arc;

use heal_runtime::port::{DeadLetter, QueueName};

use super::{Queues, VISIBILITY_MS, action, bodies, receive, receive_one, send};
use crate::contract::at_once;
use crate::contract::sample::{T0, message};
use crate::memory::MAX_RECEIVES;

/// Delivers the only message as often as it may be delivered, without an acknowledgement.
async fn wear_out(queues: &Queues) {
    for count in 1..=MAX_RECEIVES {
        assert_eq!(receive_one(queues).await.receive_count, count);
        queues.clock.advance_ms(VISIBILITY_MS);
    }
}

async fn dead(queues: &Queues) -> Vec<DeadLetter> {
    queues.dead_letters(100).await.unwrap()
}

pub async fn a_message_delivered_too_often_is_a_dead_letter(queues: Queues) {
    send(&queues, "poison").await;
    let message_id = receive_one(&queues).await.message_id;
    for count in 2..=MAX_RECEIVES {
        queues.clock.advance_ms(VISIBILITY_MS);
        assert_eq!(receive_one(&queues).await.receive_count, count);
    }
    assert_eq!(dead(&queues).await, vec![]);
    queues.clock.advance_ms(VISIBILITY_MS);
    assert_eq!(receive(&queues, 10).await, vec![]);
    let letters = dead(&queues).await;
    let reason = letters.iter().map(|letter| letter.reason.clone()).collect::<String>();
    assert!(reason.contains(&format!("{MAX_RECEIVES} times")), "{reason}");
    let (body, queue, receive_count) = ("poison".to_owned(), action(), MAX_RECEIVES);
    assert_eq!(letters, vec![DeadLetter { message_id, queue, body, receive_count, reason, sent_at: T0 }]);
}

pub async fn dead_letters_do_not_count_as_delivered(queues: Queues) {
    send(&queues, "poison").await;
    wear_out(&queues).await;
    queues.send(["a", "b"].map(|body| message(&action(), body)).to_vec()).await.unwrap();
    // The poison message is first in the queue, and does not count towards `max`.
    assert_eq!(bodies(&receive(&queues, 2).await), ["a", "b"]);
    assert_eq!(dead(&queues).await.len(), 1);
}

pub async fn a_dead_lettered_message_keeps_its_reason(queues: Queues) {
    queues.clock.advance_ms(7);
    queues.send(vec![message(&QueueName::Incidents, "not JSON")]).await.unwrap();
    queues.clock.advance_ms(7);
    let delivery = queues.receive(&QueueName::Incidents, 1, VISIBILITY_MS).await.unwrap().remove(0);
    queues.dead_letter(&delivery.receipt, "not a JSON object: \"EOF\"").await.unwrap();
    queues.clock.advance_ms(VISIBILITY_MS);
    assert_eq!(queues.receive(&QueueName::Incidents, 1, VISIBILITY_MS).await.unwrap(), vec![]);
    let expected = DeadLetter {
        message_id: delivery.message_id,
        queue: QueueName::Incidents,
        body: "not JSON".to_owned(),
        receive_count: 1,
        reason: "not a JSON object: \"EOF\"".to_owned(),
        sent_at: T0.plus_ms(7),
    };
    assert_eq!(dead(&queues).await, vec![expected]);
}

pub async fn an_old_receipt_dead_letters_nothing(queues: Queues) {
    send(&queues, "a").await;
    let old = receive_one(&queues).await;
    queues.clock.advance_ms(VISIBILITY_MS);
    let current = receive_one(&queues).await;
    queues.dead_letter(&old.receipt, "no").await.unwrap();
    assert_eq!(dead(&queues).await, vec![]);
    queues.dead_letter(&current.receipt, "yes").await.unwrap();
    queues.dead_letter(&current.receipt, "again").await.unwrap();
    let letters = dead(&queues).await;
    assert_eq!(letters.iter().map(|letter| letter.reason.as_str()).collect::<Vec<_>>(), ["yes"]);
}

pub async fn dead_letters_come_oldest_first(queues: Queues) {
    for body in ["a", "b", "c"] {
        send(&queues, body).await;
        let delivery = receive_one(&queues).await;
        queues.dead_letter(&delivery.receipt, "why").await.unwrap();
        queues.clock.advance_ms(1);
    }
    let order = |letters: Vec<DeadLetter>| letters.into_iter().map(|letter| letter.body).collect::<Vec<_>>();
    assert_eq!(order(queues.dead_letters(100).await.unwrap()), ["a", "b", "c"]);
    assert_eq!(order(queues.dead_letters(2).await.unwrap()), ["a", "b"]);
    assert_eq!(order(queues.dead_letters(0).await.unwrap()), [] as [&str; 0]);
}

pub async fn a_redriven_message_starts_over(queues: Queues) {
    send(&queues, "poison").await;
    wear_out(&queues).await;
    receive(&queues, 1).await;
    let letter = dead(&queues).await.remove(0);
    assert!(queues.redrive(&letter.message_id).await.unwrap());
    assert_eq!(dead(&queues).await, vec![]);
    let delivery = receive_one(&queues).await;
    assert_eq!((delivery.body.as_str(), delivery.receive_count), ("poison", 1));
    assert_eq!(delivery.message_id, letter.message_id);
}

pub async fn a_redriven_message_has_no_earlier_receipt(queues: Queues) {
    send(&queues, "a").await;
    let former = receive_one(&queues).await;
    queues.dead_letter(&former.receipt, "why").await.unwrap();
    queues.redrive(&former.message_id).await.unwrap();
    queues.acknowledge(vec![former.receipt.clone()]).await.unwrap();
    let now = receive_one(&queues).await;
    assert_ne!(now.receipt, former.receipt);
    queues.acknowledge(vec![former.receipt]).await.unwrap();
    queues.clock.advance_ms(VISIBILITY_MS);
    assert_eq!(receive_one(&queues).await.receive_count, 2);
}

pub async fn a_dead_letter_is_redriven_once(queues: Queues) {
    send(&queues, "a").await;
    let delivery = receive_one(&queues).await;
    assert!(!queues.redrive(&delivery.message_id).await.unwrap());
    queues.dead_letter(&delivery.receipt, "why").await.unwrap();
    let redrive = |_| {
        let (port, message_id) = (Arc::clone(&queues.port), delivery.message_id.clone());
        async move { port.redrive(&message_id).await.unwrap() }
    };
    let answers = at_once((0..10).map(redrive)).await;
    assert_eq!(answers.iter().filter(|done| **done).count(), 1);
    for unknown in ["", "x", "999", "-1"] {
        assert!(!queues.redrive(unknown).await.unwrap());
    }
    assert_eq!(receive(&queues, 10).await.len(), 1);
}
