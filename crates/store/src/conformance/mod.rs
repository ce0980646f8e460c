//! What every backend has to do, as tests that any backend can run (feature `conformance`).
//!
//! ```no_run
//! # async fn check() {
//! use campanile_store::{Epochs, MemoryStore, Store, conformance};
//! conformance::run_all(async || Box::new(MemoryStore::new(Epochs::seeded(1))) as Box<dyn Store>).await;
//! # }
//! ```

mod access;
mod audience;
mod changes;
mod commits;
mod document_bounds;
mod documents;
mod expire;
mod fixture;
mod idempotency;
mod log;
mod mark_keys;
mod read_state;
mod receipts;
mod retention;
mod retract;
mod supersede;
mod update;

use crate::Store;

macro_rules! cases {
    ($($module:ident :: $case:ident),+ $(,)?) => {
        /// The names of the cases, in the order in which they run.
        pub const CASES: &[&str] = &[$(concat!(stringify!($module), "::", stringify!($case))),+];

        /// Runs the case of that name on `store`, which must be new and empty.
        ///
        /// # Panics
        /// If the store does not do what the contract says, or there is no such case.
        pub async fn run(case: &str, store: &dyn Store) {
            match case {
                $(concat!(stringify!($module), "::", stringify!($case)) => $module::$case(store).await,)+
                _ => panic!("no case is called {case}"),
            }
        }
    };
}

cases! {
    log::a_workspace_begins_with_its_first_write,
    log::a_refused_write_begins_no_workspace,
    log::places_have_no_gap_and_a_batch_stands_together,
    log::concurrent_publishes_get_each_place_once,
    log::workspaces_do_not_meet,
    log::entries_are_read_in_order_and_in_pages,
    log::a_body_is_kept_to_the_letter,
    log::bounds_are_refused_and_nothing_is_written,
    log::an_id_is_taken_once,
    log::a_closed_store_refuses_writes,
    audience::each_audience_reaches_its_users_less_the_exceptions,
    audience::a_subscription_reaches_from_its_start_to_its_end,
    audience::repeated_subscriptions_write_nothing,
    audience::topics_of_a_user_are_bounded,
    audience::subscribers_are_listed_by_name_in_pages,
    audience::lists_page_both_ways,
    access::no_record_is_access_always,
    access::a_withdrawal_hides_everything_until_a_grant,
    access::a_first_grant_changes_nothing_but_is_recorded,
    receipts::archived_is_read_and_read_is_seen,
    receipts::each_effective_mark_is_one_revision,
    receipts::a_mark_needs_an_entry_that_the_user_sees,
    receipts::read_all_goes_up_to_a_place,
    receipts::seen_goes_up_to_a_place,
    receipts::what_was_read_one_by_one_can_be_unread_again,
    receipts::lists_select_by_read_state,
    receipts::users_do_not_meet,
    read_state::nothing_was_done_yet,
    read_state::receipts_come_by_revision_and_as_they_are_now,
    read_state::what_is_done_at_once_is_told_by_watermarks,
    read_state::only_what_is_still_seen_is_told,
    mark_keys::a_repeated_mark_does_nothing,
    mark_keys::a_key_is_of_one_mark_of_one_user,
    mark_keys::a_refused_mark_keeps_no_key,
    mark_keys::keys_of_marks_are_kept_for_their_window,
    mark_keys::the_newest_keys_of_a_user_are_kept,
    retract::a_retracted_entry_is_gone_for_everyone,
    retract::a_retraction_is_an_entry_and_happens_once,
    retract::counts_leave_out_what_was_retracted,
    update::an_updated_entry_reads_anew_in_its_place,
    update::an_update_is_an_entry_that_says_it_as_it_is_now,
    update::what_is_not_live_cannot_be_updated,
    update::an_update_replaces_what_it_was_made_from,
    update::an_update_keeps_its_people_and_its_time,
    changes::what_is_said_reaches_whom_its_target_reached,
    changes::an_update_is_told_once_and_as_it_reads_now,
    changes::what_came_and_went_is_left_out,
    changes::what_retention_took_is_nobodys,
    expire::what_is_due_is_withdrawn,
    expire::the_longest_due_go_first_in_every_workspace,
    expire::an_update_moves_the_time,
    expire::who_still_sees_a_superseded_one_sees_it_until_then,
    expire::what_was_withdrawn_or_pruned_is_not_due,
    supersede::only_those_who_had_read_it_still_see_it,
    supersede::the_same_key_to_others_supersedes_nothing,
    supersede::within_one_write_the_later_supersedes_the_earlier,
    supersede::what_is_resolved_has_no_successor,
    supersede::the_newest_live_one_is_superseded,
    supersede::a_superseded_one_can_be_put_away,
    supersede::it_is_withdrawn_and_pruned_like_any_other,
    supersede::a_repetition_supersedes_nothing_again,
    idempotency::a_repetition_gets_the_first_outcome,
    idempotency::another_body_is_refused,
    idempotency::keys_belong_to_a_publisher_in_a_workspace,
    idempotency::keys_are_kept_for_their_window,
    idempotency::calls_in_flight_join,
    idempotency::a_key_is_of_one_request_whatever_that_does,
    idempotency::a_refused_publish_keeps_no_key,
    retention::the_oldest_go_by_count,
    retention::the_oldest_go_by_age_and_only_a_prefix,
    retention::what_remains_keeps_its_place_and_count,
    retention::an_empty_log_goes_on_counting,
    commits::commits_come_whole_and_in_order,
    commits::a_commit_can_be_read_when_it_is_told,
    commits::what_writes_nothing_tells_nothing,
    commits::marks_that_change_something_are_told_in_their_order,
    commits::what_is_withdrawn_is_told_with_its_body,
    documents::a_document_is_made_replaced_and_deleted,
    documents::what_is_not_as_expected_is_refused,
    documents::a_refused_change_writes_nothing,
    documents::no_version_and_no_number_comes_twice,
    documents::many_are_read_in_the_order_asked_for,
    documents::lists_page_by_id_and_by_age,
    documents::a_group_is_left_and_entered,
    documents::what_is_due_comes_in_order_from_every_workspace,
    documents::what_is_due_moves_with_its_contents,
    documents::expired_documents_are_purged_in_steps,
    documents::workspaces_and_kinds_do_not_meet,
    documents::a_change_is_one_commit_in_its_order,
    document_bounds::bounds_of_a_change_are_refused,
    document_bounds::a_page_ends_with_its_bytes,
    document_bounds::what_is_read_at_once_is_bounded,
    documents::concurrent_changes_lose_no_update,
}

/// Runs every case, each on a new store from `make`.
///
/// # Panics
/// If the store does not do what the contract says; the case is named by the panic's place.
pub async fn run_all(make: impl AsyncFn() -> Box<dyn Store>) {
    for case in CASES {
        let store = make().await;
        run(case, store.as_ref()).await;
        store.close().await;
    }
}
