//! The contract of [`RunStore`].

mod append;
mod chain;
mod create;
mod due;
mod filters;
mod held;
mod listing;
mod live;
mod repeats;
mod rooms;

pub use append::*;
pub use chain::*;
pub use create::*;
pub use due::*;
pub use filters::*;
pub use held::*;
pub use listing::*;
pub use live::*;
pub use repeats::*;
pub use rooms::*;

use heal_runtime::port::RunStore;

use super::Fixture;

/// A store of runs, fresh and empty.
pub type Runs = Fixture<dyn RunStore>;

/// One test per case of [`runs`](crate::contract::runs); `$fixture` gives a [`Runs`](crate::contract::runs::Runs).
#[macro_export]
macro_rules! run_store_contract {
    ($fixture:expr) => {
        $crate::contract_suite! { $fixture, runs, [
            a_created_run_is_read_back_whole,
            a_run_that_does_not_exist_is_empty,
            a_repeated_create_is_a_duplicate_with_the_same_run_id,
            the_same_input_makes_one_run_in_its_window,
            a_window_ends_at_its_end,
            after_the_window_the_key_belongs_to_the_newer_run,
            a_window_may_last_forever,
            a_taken_run_id_is_a_duplicate,
            a_live_run_holds_its_concurrency_key,
            a_busy_create_stores_nothing,
            the_dedupe_key_is_compared_before_the_concurrency_key,
            an_input_that_joined_a_run_is_a_duplicate_in_its_window,
            an_input_with_a_run_of_its_own_is_not_remembered_as_another_ones,
            a_run_created_as_ended_holds_no_concurrency_key,
            concurrent_creates_of_one_input_make_one_run,
            concurrent_creates_for_one_concurrency_key_make_one_live_run,
            commits_are_loaded_in_order_after_a_sequence_number,
            a_repeated_append_is_already_there,
            two_appends_at_one_sequence_number_are_one_appended_and_one_conflict,
            an_append_behind_a_gap_is_a_conflict,
            an_append_inside_a_commit_is_a_conflict,
            an_append_to_a_run_that_does_not_exist_is_a_conflict,
            a_conflict_stores_nothing,
            the_head_follows_its_commit,
            the_start_of_a_run_never_changes,
            a_terminal_append_frees_the_concurrency_key,
            a_live_append_keeps_the_concurrency_key,
            a_terminal_append_frees_no_key_of_another_run,
            a_read_sees_every_acknowledged_commit,
            racing_writers_leave_no_gap,
            a_large_commit_is_read_back_whole,
            numbers_are_read_back_to_the_last_bit,
            a_chain_is_read_back_with_the_texts_it_is_over,
            a_log_that_an_older_build_began_is_chained_from_there_on,
            a_plan_is_stored_under_its_digest,
            a_listing_is_newest_first,
            a_listing_filters_by_status_playbook_and_start,
            a_listing_follows_the_status,
            a_subject_is_read_back_with_its_run,
            a_listing_filters_by_what_the_run_is_about,
            a_listing_filters_by_outcome,
            what_needs_a_person_comes_most_urgent_first,
            an_ended_run_takes_commits_and_is_listed_once_as_the_newest_says,
            pages_cover_every_run_once,
            runs_of_one_moment_are_paged_without_loss,
            a_cursor_is_stable_under_inserts,
            an_empty_page_is_the_last,
            a_foreign_cursor_is_an_error,
            due_runs_come_longest_overdue_first,
            a_run_is_due_from_its_wake_time_on,
            an_ended_run_is_never_due,
            a_run_without_a_wake_time_is_never_due,
            the_next_due_is_the_earliest_wake_time_of_a_live_run,
            live_runs_are_counted_until_they_end,
            a_run_counts_as_awaiting_approval_only_while_it_does,
            a_held_run_is_found_once_its_halt_is_gone,
            a_run_is_held_from_one_commit_to_another,
            an_ended_run_is_not_held,
            live_runs_are_found_by_the_start_of_their_incidents_id,
            an_ended_run_is_not_among_the_live_ones_of_its_incident,
            a_run_over_the_bound_is_refused_and_stores_nothing,
            a_run_is_counted_until_its_window_ends,
            the_same_input_and_a_busy_target_are_not_counted,
            an_escalation_stands_for_its_target_until_it_is_acknowledged,
            an_escalation_is_known_by_its_input,
            concurrent_creates_for_one_target_stay_under_the_bound,
            concurrent_escalations_are_one,
            a_run_without_room_is_refused_and_stores_nothing,
            a_bound_counts_the_runs_of_all_its_playbooks,
            a_run_takes_room_until_its_end,
            a_run_without_a_room_counts_for_none,
            a_refused_create_takes_no_room,
            waiting_runs_are_named_the_most_severe_first_then_the_oldest,
            a_waiting_run_is_admitted_once_there_is_room,
            a_new_run_goes_behind_those_that_wait_for_the_same_room,
            a_held_run_keeps_nobody_waiting,
            an_approved_run_may_have_to_wait,
            a_waiting_run_that_ends_waits_no_longer,
            runs_that_wait_or_are_held_are_found_by_their_incident,
            concurrent_creates_stay_under_the_bounds,
            concurrent_admissions_stay_under_the_bounds,
        ] }
    };
}
