//! The contract of [`Sender`](heal_runtime::port::Sender) and [`Receiver`](heal_runtime::port::Receiver).
//!
//! A backend under test delivers a message [`MAX_RECEIVES`](crate::memory::MAX_RECEIVES) times at most.

mod dead;
mod delivery;
mod wake;

pub use dead::*;
pub use delivery::*;
pub use wake::*;

use heal_runtime::port::{Delivery, QueueName};

use super::sample::message;
use super::{Fixture, Queues as Port};

/// Queues, fresh and empty.
pub type Queues = Fixture<dyn Port>;

/// One test per case of [`queue`](crate::contract::queue); `$fixture` gives a
/// [`Queues`](crate::contract::queue::Queues).
#[macro_export]
macro_rules! queue_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, queue, [
            a_sent_message_is_delivered_whole,
            an_empty_queue_delivers_nothing,
            a_delivered_message_is_invisible,
            an_unacknowledged_message_comes_back_after_its_visibility,
            an_acknowledged_message_never_comes_back,
            a_late_acknowledgement_counts_until_the_next_delivery,
            an_old_receipt_removes_nothing,
            no_more_than_asked_for_are_delivered,
            a_delayed_message_is_not_delivered_before_its_delay,
            messages_come_in_the_order_in_which_they_are_due,
            queues_are_separate,
            a_thousand_messages_are_sent_at_once,
            concurrent_receivers_share_without_overlap,
            a_nacked_message_comes_after_its_delay,
            a_nacked_message_has_no_current_receipt,
            an_invalid_receipt_changes_nothing,
            a_message_delivered_too_often_is_a_dead_letter,
            dead_letters_do_not_count_as_delivered,
            a_dead_lettered_message_keeps_its_reason,
            an_old_receipt_dead_letters_nothing,
            dead_letters_come_oldest_first,
            a_redriven_message_starts_over,
            a_redriven_message_has_no_earlier_receipt,
            a_dead_letter_is_redriven_once,
            a_waiter_wakes_for_a_message_that_is_due_already,
            a_waiter_wakes_when_a_message_is_sent,
            a_waiter_wakes_when_a_message_becomes_visible,
            a_waiter_wakes_when_a_message_is_nacked,
            a_waiter_wakes_when_a_dead_letter_is_redriven,
            every_waiter_wakes,
        ] }
    };
}

/// How long a delivery of the cases is invisible.
const VISIBILITY_MS: u64 = 30_000;

fn action() -> QueueName {
    QueueName::Action("reallocate_ticket".to_owned())
}

async fn send(queues: &Queues, body: &str) {
    queues.send(vec![message(&action(), body)]).await.unwrap();
}

async fn receive(queues: &Queues, max: usize) -> Vec<Delivery> {
    queues.receive(&action(), max, VISIBILITY_MS).await.unwrap()
}

/// The only message that is due.
async fn receive_one(queues: &Queues) -> Delivery {
    let mut deliveries = receive(queues, 10).await;
    assert_eq!(deliveries.len(), 1, "{deliveries:?}");
    deliveries.remove(0)
}

fn bodies(deliveries: &[Delivery]) -> Vec<&str> {
    deliveries.iter().map(|delivery| delivery.body.as_str()).collect()
}
