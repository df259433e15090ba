//! What every journal has to keep: one list of scenarios, run against each store.

mod appending;
mod equivalence;
mod feeding;
pub(super) mod fixture;
mod forgetting;
mod reading;
mod sharing;

/// Runs each scenario against each store, as a test of its own.
macro_rules! contract {
    ($($file:ident: $($name:ident),+;)+) => {
        mod memory {
            $($(#[actix::test]
            async fn $name() {
                super::$file::$name(super::fixture::Fixture::memory()).await;
            })+)+
        }
        mod sqlite {
            $($(#[actix::test]
            pub(super) async fn $name() {
                super::$file::$name(super::fixture::Fixture::sqlite()).await;
            })+)+
        }
        mod postgres {
            $($(#[actix::test]
            async fn $name() {
                super::$file::$name(super::fixture::Fixture::postgres()).await;
            })+)+
        }
    };
}

contract! {
    appending:
        offsets_rise_by_one_in_each_channel,
        one_batch_numbers_each_channel_in_its_order,
        a_batch_out_of_turn_changes_nothing,
        two_lanes_share_channels_without_gap_or_doublet,
        two_lanes_share_keys,
        a_key_makes_a_retry_happen_once,
        a_key_works_within_one_batch,
        a_key_with_other_data_is_refused,
        a_key_belongs_to_its_channel_and_publisher,
        a_key_outlives_its_publication_and_ends,
        an_older_version_is_dropped,
        an_append_that_nobody_waits_for_is_committed,
        what_was_appended_is_read_back_whole;
    reading:
        a_channel_without_history_has_one_epoch_and_no_row,
        the_first_publication_keeps_the_epoch_that_readers_saw,
        pages_go_both_ways,
        a_page_is_bounded_in_bytes,
        a_page_ends_at_its_top_while_others_append,
        only_the_newest_are_shown,
        what_is_too_old_is_not_shown,
        a_clock_that_steps_back_tears_no_hole;
    feeding:
        changes_name_each_head_once,
        changes_of_several_writers_are_merged,
        a_writer_that_was_silent_is_heard_behind_a_busier_one,
        notes_are_heard_in_order_with_and_without_appends,
        who_begins_at_the_present_hears_only_what_follows,
        heads_say_where_channels_stand,
        who_was_away_too_long_sees_a_hole,
        settle_tells_what_a_batch_did,
        settle_closes_a_writer_that_did_not_commit,
        settle_tells_all_kinds_of_results;
    forgetting:
        removal_keeps_epoch_and_top,
        trimming_drops_what_reads_no_longer_show,
        trimming_goes_on_step_by_step,
        trimming_keeps_the_top_of_an_emptied_channel,
        a_forgotten_channel_begins_another_life,
        a_channel_with_publications_is_never_forgotten;
    sharing:
        three_lanes_number_shared_channels_without_gap_or_doublet,
        three_lanes_share_keys,
        what_one_instance_commits_the_other_one_reads_and_follows,
        what_one_instance_notes_the_other_one_hears,
        a_batch_is_settled_by_whoever_asks,
        trimming_and_appending_do_not_hurt_each_other;
}

crate::platform::mutant::caught! {
    results_in_the_order_of_writing_are_caught: ResultsByIndex by sqlite::one_batch_numbers_each_channel_in_its_order;
    keys_that_go_with_their_publications_are_caught: KeysInMessageRows by sqlite::a_key_outlives_its_publication_and_ends;
    a_commit_that_goes_with_its_future_is_caught: CommitDroppedWithItsFuture by sqlite::an_append_that_nobody_waits_for_is_committed;
    a_top_from_another_snapshot_is_caught: RowsThenTop by sqlite::a_page_ends_at_its_top_while_others_append;
    a_feed_that_takes_all_writers_for_one_is_caught: FeedByGlobalNumber by sqlite::a_writer_that_was_silent_is_heard_behind_a_busier_one;
}
