//! The contract of [`ClaimStore`].

mod budgets;
mod cooldowns;
mod freeing;
mod intents;
mod leases;

pub use budgets::*;
pub use cooldowns::*;
pub use freeing::*;
pub use intents::*;
pub use leases::*;

use heal_runtime::port::{ClaimStore, CooldownKey, Reservation};
use heal_runtime::{AttemptResult, Timestamp};

use super::Fixture;
use super::sample::{claim_key, request, target};

/// A store of claims and cooldowns, fresh and empty.
pub type Claims = Fixture<dyn ClaimStore>;

/// One test per case of [`claims`](crate::contract::claims); `$fixture` gives a
/// [`Claims`](crate::contract::claims::Claims).
#[macro_export]
macro_rules! claim_store_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, claims, [
            a_new_claim_is_held,
            a_live_claim_is_busy_for_another_holder,
            the_same_request_twice_answers_the_same,
            a_recovered_request_twice_answers_the_same,
            a_holder_asks_again_for_more_targets,
            a_finished_claim_answers_its_result,
            an_expired_claim_is_recovered_by_the_next_holder,
            an_expired_claim_cannot_commit,
            a_claim_taken_over_cannot_commit_for_its_first_holder,
            a_repeated_finish_is_stored,
            a_second_result_is_lost,
            a_claim_that_does_not_exist_cannot_commit,
            a_lease_from_the_future_lasts_a_lease_and_no_longer,
            a_released_claim_is_free,
            a_release_by_another_holder_changes_nothing,
            a_finished_claim_cannot_be_released,
            a_released_recovery_is_still_a_recovery,
            claims_of_other_actions_and_attempts_are_separate,
            concurrent_holders_of_one_attempt_let_one_through,
            two_hundred_concurrent_attempts_on_one_target_let_one_through,
            a_reserved_target_cools_until_its_end,
            a_reservation_from_the_future_lasts_its_length_and_no_longer,
            only_the_targets_that_are_not_cooling_are_reserved,
            a_target_named_twice_is_reserved_once,
            a_claim_that_is_not_held_reserves_no_target,
            targets_of_the_same_attempt_are_not_cooling,
            a_recovered_reservation_cools_from_its_last_reserve,
            cooldowns_of_other_actions_are_separate,
            a_batch_of_a_hundred_targets_is_reserved_whole,
            a_target_never_touched_has_no_last_touch,
            a_finished_attempt_touched_its_targets,
            an_open_attempt_of_another_counts_as_a_touch,
            an_attempt_is_not_blocked_by_its_own_reservation,
            last_touches_come_in_the_order_of_the_keys,
            two_hundred_concurrent_attempts_on_one_budget_let_as_many_through_as_it_has_places,
            a_budgets_window_slides,
            a_batch_takes_the_places_that_there_are,
            budgets_of_other_names_and_keys_are_separate,
            a_target_that_a_budget_refuses_gives_its_cooldown_and_places_back,
            a_cooling_target_takes_no_place,
            the_same_attempt_counts_once,
            a_place_in_flight_is_free_once_its_attempt_has_ended,
            two_hundred_concurrent_attempts_in_flight_are_never_more_than_there_may_be,
            an_attempt_takes_over_what_the_one_that_it_names_reserved_and_nothing_else,
            a_peek_shows_reservations_and_places_and_takes_none,
            of_different_bounds_of_one_counter_the_lowest_counts,
            a_dead_workers_place_stays_taken,
            a_place_of_a_target_proven_untouched_is_free_at_once,
            a_release_gives_places_back,
            an_announced_target_is_reserved_when_it_is_asked_for,
            an_intent_is_stored_with_the_reservations,
            a_target_proven_untouched_is_free_at_once,
            a_release_frees_its_targets,
            a_released_recovery_keeps_the_earlier_holders_targets,
            a_freed_target_has_its_touch_before,
            no_attempt_frees_a_target_of_another,
            a_lost_finish_frees_nothing,
            a_finished_claim_keeps_its_targets_cooling,
            a_new_claim_has_no_intent,
            an_intent_outlives_its_holder,
            a_later_intent_replaces_the_one_before,
            only_the_holder_of_a_live_claim_stores_an_intent,
            a_released_claim_has_no_intent_and_a_released_recovery_keeps_it,
        ] }
    };
}

const NOTHING_COOLING: Reservation = Reservation::Held { recovered: false, cooling: Vec::new(), budgets: Vec::new() };

fn finished(result: AttemptResult) -> Reservation {
    Reservation::Finished(Box::new(result))
}

fn held(recovered: bool, cooling: &[(&str, Timestamp)]) -> Reservation {
    let cooling = cooling.iter().map(|(name, until)| (target(name), *until)).collect();
    Reservation::Held { recovered, cooling, budgets: Vec::new() }
}

/// The answer to reserving `targets` for a new `attempt` by its only holder.
async fn reserve(store: &Claims, attempt: &str, now: Timestamp, targets: &[&str]) -> Reservation {
    store.reserve(&request(attempt, &format!("worker of {attempt}"), now, targets)).await.unwrap()
}

/// When `name` was last touched, as a new attempt sees it.
async fn last_touched(store: &Claims, name: &str) -> Option<Timestamp> {
    last_touched_before(store, "run-new/step/1", name).await
}

/// When `name` was last touched, as `attempt` sees it.
async fn last_touched_before(store: &Claims, attempt: &str, name: &str) -> Option<Timestamp> {
    let keys: [CooldownKey; 1] = [target(name)];
    store.last_touched(&keys, &claim_key(attempt)).await.unwrap()[0]
}
