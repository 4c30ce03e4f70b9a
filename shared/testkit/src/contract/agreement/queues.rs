use heal_runtime::port::{DeadLetter, Delivery, Message, QueueName};

use super::Dice;
use crate::contract::Queues as Port;
use crate::contract::queue::Queues;

/// The same delivery in both backends, which have different ids for it.
type Pair = (Delivery, Delivery);

/// The parts of a dead letter that have to be equal.
type Letter = (String, QueueName, u32, String, u64);

/// Makes `calls` random calls to both backends, whose clocks have to show the same time.
///
/// # Panics
/// If an answer differs.
pub async fn queues_agree(left: &Queues, right: &Queues, seed: u64, calls: usize) {
    let mut dice = Dice::new(seed);
    let mut held: Vec<Pair> = Vec::new();
    for call in 0..calls {
        let place = format!("seed {seed}, call {call}");
        match dice.roll(10) {
            0 | 1 => {
                let messages: Vec<Message> =
                    (0..dice.roll(4)).map(|index| random_message(&mut dice, call, index)).collect();
                left.send(messages.clone()).await.unwrap();
                right.send(messages).await.unwrap();
            }
            2..=4 => held.extend(receive(&mut dice, left, right, &place).await),
            // Mostly a current receipt, sometimes an old one.
            5..=7 => {
                if let Some((mine, theirs)) = pick(&mut dice, &held) {
                    settle(&mut dice, (&**left, mine), (&**right, theirs)).await;
                }
            }
            8 => {
                let letters = dead_letters(left, right, &place).await;
                let chosen = letters.get(usize::try_from(dice.roll(4)).unwrap());
                if let Some((mine, theirs)) = chosen {
                    let redriven = (
                        left.redrive(&mine.message_id).await.unwrap(),
                        right.redrive(&theirs.message_id).await.unwrap(),
                    );
                    assert_eq!(redriven, (true, true), "{place}");
                }
            }
            _ => {
                let step_ms = dice.roll(300);
                left.clock.advance_ms(step_ms);
                right.clock.advance_ms(step_ms);
            }
        }
    }
    dead_letters(left, right, &format!("seed {seed}, the end")).await;
}

fn queue(dice: &mut Dice) -> QueueName {
    if dice.once_in(3) { QueueName::Results } else { QueueName::Action("restart_pod".to_owned()) }
}

fn random_message(dice: &mut Dice, call: usize, index: u64) -> Message {
    let delay_ms = if dice.once_in(2) { dice.roll(500) } else { 0 };
    let traceparent = dice.once_in(2).then(|| dice.name("trace", 9));
    Message { queue: queue(dice), body: format!("{call}/{index}"), delay_ms, traceparent }
}

fn pick(dice: &mut Dice, held: &[Pair]) -> Option<Pair> {
    let recent = held.len().saturating_sub(6);
    let from = if dice.once_in(5) { 0 } else { recent };
    let offset = usize::try_from(dice.roll(u64::try_from(held.len() - from).unwrap())).unwrap();
    held.get(from + offset).cloned()
}

async fn receive(dice: &mut Dice, left: &Queues, right: &Queues, place: &str) -> Vec<Pair> {
    let queue = queue(dice);
    let (max, visibility_ms) = (usize::try_from(dice.roll(5)).unwrap(), dice.roll(200));
    let mine = left.receive(&queue, max, visibility_ms).await.unwrap();
    let theirs = right.receive(&queue, max, visibility_ms).await.unwrap();
    let seen = |delivery: &Delivery| (delivery.body.clone(), delivery.receive_count, delivery.traceparent.clone());
    assert_eq!(
        mine.iter().map(seen).collect::<Vec<_>>(),
        theirs.iter().map(seen).collect::<Vec<_>>(),
        "{place}: {queue}"
    );
    mine.into_iter().zip(theirs).collect()
}

async fn settle(dice: &mut Dice, (left, mine): (&dyn Port, Delivery), (right, theirs): (&dyn Port, Delivery)) {
    match dice.roll(4) {
        0 | 1 => {
            left.acknowledge(vec![mine.receipt]).await.unwrap();
            right.acknowledge(vec![theirs.receipt]).await.unwrap();
        }
        2 => {
            let delay_ms = dice.roll(300);
            left.nack(&mine.receipt, delay_ms).await.unwrap();
            right.nack(&theirs.receipt, delay_ms).await.unwrap();
        }
        _ => {
            let reason = dice.name("reason", 9);
            left.dead_letter(&mine.receipt, &reason).await.unwrap();
            right.dead_letter(&theirs.receipt, &reason).await.unwrap();
        }
    }
}

async fn dead_letters(left: &Queues, right: &Queues, place: &str) -> Vec<(DeadLetter, DeadLetter)> {
    let (mine, theirs) = (left.dead_letters(1_000).await.unwrap(), right.dead_letters(1_000).await.unwrap());
    let seen = |letter: &DeadLetter| -> Letter {
        (letter.body.clone(), letter.queue.clone(), letter.receive_count, letter.reason.clone(), letter.sent_at.0)
    };
    assert_eq!(mine.iter().map(seen).collect::<Vec<_>>(), theirs.iter().map(seen).collect::<Vec<_>>(), "{place}");
    mine.into_iter().zip(theirs).collect()
}
