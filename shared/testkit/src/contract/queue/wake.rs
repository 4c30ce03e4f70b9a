use std::sync::Arc;
use std::time::Duration;

use heal_runtime::port::Message;
use tokio::task::JoinHandle;

use super::{Queues, VISIBILITY_MS, action, receive, receive_one, send};
use crate::contract::sample::message;

/// Real time in which a waiter has to wake: far more than a polling backend needs.
const PATIENCE: Duration = Duration::from_secs(10);

fn waiter(queues: &Queues) -> JoinHandle<()> {
    let port = Arc::clone(&queues.port);
    tokio::spawn(async move { port.wait(&action()).await })
}

async fn wakes(waiter: JoinHandle<()>) {
    tokio::time::timeout(PATIENCE, waiter).await.expect("the waiter wakes").unwrap();
}

pub async fn a_waiter_wakes_for_a_message_that_is_due_already(queues: Queues) {
    send(&queues, "a").await;
    wakes(waiter(&queues)).await;
    assert_eq!(receive(&queues, 10).await.len(), 1);
}

pub async fn a_waiter_wakes_when_a_message_is_sent(queues: Queues) {
    let waiter = waiter(&queues);
    tokio::task::yield_now().await;
    send(&queues, "a").await;
    wakes(waiter).await;
}

pub async fn a_waiter_wakes_when_a_message_becomes_visible(queues: Queues) {
    queues.send(vec![Message { delay_ms: 5_000, ..message(&action(), "later") }]).await.unwrap();
    let first = waiter(&queues);
    tokio::task::yield_now().await;
    queues.clock.advance_ms(5_000);
    wakes(first).await;
    receive_one(&queues).await;
    let second = waiter(&queues);
    queues.clock.advance_ms(VISIBILITY_MS);
    wakes(second).await;
    assert_eq!(receive_one(&queues).await.receive_count, 2);
}

pub async fn a_waiter_wakes_when_a_message_is_nacked(queues: Queues) {
    send(&queues, "a").await;
    let delivery = receive_one(&queues).await;
    let waiter = waiter(&queues);
    tokio::task::yield_now().await;
    queues.nack(&delivery.receipt, 0).await.unwrap();
    wakes(waiter).await;
}

pub async fn a_waiter_wakes_when_a_dead_letter_is_redriven(queues: Queues) {
    send(&queues, "a").await;
    let delivery = receive_one(&queues).await;
    queues.dead_letter(&delivery.receipt, "why").await.unwrap();
    let waiter = waiter(&queues);
    tokio::task::yield_now().await;
    queues.redrive(&delivery.message_id).await.unwrap();
    wakes(waiter).await;
}

pub async fn every_waiter_wakes(queues: Queues) {
    let waiters: Vec<_> = (0..20).map(|_| waiter(&queues)).collect();
    tokio::task::yield_now().await;
    queues.send((0..20).map(|index| message(&action(), &index.to_string())).collect()).await.unwrap();
    for waiter in waiters {
        wakes(waiter).await;
    }
}
