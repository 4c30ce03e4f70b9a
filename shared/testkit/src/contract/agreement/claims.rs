use heal_runtime::port::{
    BudgetKey, BudgetRequest, ClaimKey, ClaimRequest, CooldownKey, CooldownRequest, LeaseOwner, Stage,
};
use heal_runtime::{AttemptResult, Timestamp};
use serde_json::json;

use super::Dice;
use crate::contract::breaker::Breakers;
use crate::contract::claims::Claims;
use crate::contract::sample::{T0, claim_key, result, target};

/// Makes `calls` random calls to both stores.
///
/// # Panics
/// If an answer differs.
pub async fn claims_agree(left: &Claims, right: &Claims, seed: u64, calls: usize) {
    let mut dice = Dice::new(seed);
    let mut now = T0;
    for call in 0..calls {
        let place = format!("seed {seed}, call {call}");
        let key = attempt(&mut dice, now);
        let by = LeaseOwner(dice.name("worker", 4));
        match dice.roll(7) {
            0..=2 => {
                let request = random_request(&mut dice, now);
                let answers = (left.reserve(&request).await.unwrap(), right.reserve(&request).await.unwrap());
                assert_eq!(answers.0, answers.1, "{place}: {request:?}");
            }
            3 => {
                let result: AttemptResult = result(&dice.name("T", 2));
                let proven_not_applied = targets(&mut dice);
                let left = left.finish(&key, &by, now, &result, &proven_not_applied).await.unwrap();
                let right = right.finish(&key, &by, now, &result, &proven_not_applied).await.unwrap();
                assert_eq!(left, right, "{place}: finish {key:?} by {by:?}");
            }
            4 => {
                left.release(&key, &by).await.unwrap();
                right.release(&key, &by).await.unwrap();
            }
            5 => {
                let intent = json!(dice.name("uid", 3));
                let left = left.intend(&key, &by, now, &intent).await.unwrap();
                let right = right.intend(&key, &by, now, &intent).await.unwrap();
                assert_eq!(left, right, "{place}: intend {key:?} by {by:?}");
            }
            // Sometimes the clock is behind.
            _ => now = Timestamp(dice.after(now, 40).0 - 5),
        }
        let keys: Vec<CooldownKey> = (0..5).map(|index| target(&format!("T-{index}"))).collect();
        let touched = (left.last_touched(&keys, &key).await.unwrap(), right.last_touched(&keys, &key).await.unwrap());
        assert_eq!(touched.0, touched.1, "{place}");
        let intents = (left.intent(&key).await.unwrap(), right.intent(&key).await.unwrap());
        assert_eq!(intents.0, intents.1, "{place}: {key:?}");
    }
}

fn targets(dice: &mut Dice) -> Vec<CooldownKey> {
    (0..dice.roll(4)).map(|_| target(&dice.name("T", 5))).collect()
}

/// Finished attempts never change again, so new attempts appear as time passes.
fn attempt(dice: &mut Dice, now: Timestamp) -> ClaimKey {
    let epoch = now.since_ms(T0) / 100;
    let attempts = if dice.once_in(8) { "attempt".to_owned() } else { format!("attempt-{epoch}") };
    claim_key(&dice.name(&attempts, 6))
}

fn random_request(dice: &mut Dice, now: Timestamp) -> ClaimRequest {
    let (key, by) = (attempt(dice, now), LeaseOwner(dice.name("worker", 4)));
    let mut request = ClaimRequest::new(key, by, now, dice.after(now, 60));
    if dice.once_in(3) {
        return ClaimRequest { stage: Stage::Announce, ..request };
    }
    for key in targets(dice) {
        let budgets = (0..dice.roll(3)).map(|number| BudgetRequest {
            target: key.clone(),
            key: BudgetKey { name: "budget".to_owned(), key: number.to_string() },
            max: 3,
            window_ms: 150,
        });
        request.budgets.extend(budgets);
        request.cooldowns.push(CooldownRequest { key, cooldown_ms: dice.roll(120) });
    }
    request
}

/// Makes `calls` random calls to both stores.
///
/// # Panics
/// If an answer differs.
pub async fn breakers_agree(left: &Breakers, right: &Breakers, seed: u64, calls: usize) {
    let mut dice = Dice::new(seed);
    let mut now = T0;
    for call in 0..calls {
        let place = format!("seed {seed}, call {call}");
        let service = dice.name("service", 2);
        let until = dice.after(now, 100);
        match dice.roll(8) {
            0 | 1 => {
                let answers =
                    (left.open(&service, now, until).await.unwrap(), right.open(&service, now, until).await.unwrap());
                assert_eq!(answers.0, answers.1, "{place}: open {service}");
            }
            2..=4 => {
                let by = dice.name("worker", 3);
                let left = left.take_trial(&service, &by, now, until).await.unwrap();
                let right = right.take_trial(&service, &by, now, until).await.unwrap();
                assert_eq!(left, right, "{place}: trial of {service} by {by}");
            }
            5 => {
                left.close(&service).await.unwrap();
                right.close(&service).await.unwrap();
            }
            _ => now = dice.after(now, 40),
        }
        assert_eq!(left.read(&service).await.unwrap(), right.read(&service).await.unwrap(), "{place}: {service}");
    }
}
