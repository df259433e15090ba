//! What the store has to keep, whichever database it is in: one list of scenarios, run against both.

mod ahead;
mod bounds;
mod firing;
mod fixture;
mod folding;
mod forecasts;
mod once;
mod portfolios;
mod pricing;
mod strangers;
mod strategies;
mod tokens;
mod transactions;

pub(super) use fixture::Fixture;

/// Runs each scenario against each database, as a test of its own.
macro_rules! contract {
    ($($file:ident: $($name:ident),+;)+) => {
        mod sqlite {
            $($(#[actix::test]
            async fn $name() {
                super::$file::$name(super::Fixture::sqlite().await).await;
            })+)+
        }
        mod postgres {
            $($(#[actix::test]
            async fn $name() {
                super::$file::$name(super::Fixture::postgres().await).await;
            })+)+
        }
    };
}

contract! {
    portfolios:
        the_first_portfolio_is_the_default_and_there_is_exactly_one,
        the_default_passes_to_the_oldest_left,
        a_name_is_taken_once_a_person,
        deleting_a_portfolio_deletes_all_that_hangs_on_it,
        lists_go_on_where_the_page_before_ended,
        each_write_raises_the_generation_and_a_refused_one_does_not,
        many_persons_states_are_one_question;
    transactions:
        holdings_follow_their_transactions,
        a_batch_is_entered_whole_or_not_at_all,
        transactions_of_one_moment_keep_the_order_of_their_batch,
        a_change_that_would_take_more_than_is_held_is_refused,
        a_holding_goes_with_its_last_transaction,
        transactions_are_listed_latest_first,
        an_import_enters_what_it_can_and_says_why_not_the_rest,
        two_nodes_can_not_sell_the_same_coins;
    folding:
        any_order_of_changes_comes_to_the_fold_of_what_is_there,
        one_more_at_the_end_reads_nothing_and_one_in_the_middle_goes_on_from_there;
    strategies:
        a_strategy_comes_back_with_its_steps,
        steps_that_stay_keep_what_is_not_said_about_them,
        alerts_are_armed_step_by_step,
        a_step_fires_each_kind_once;
    forecasts:
        a_forecast_is_kept_with_its_summary_until_something_changes,
        what_was_computed_of_older_data_is_not_kept,
        a_summary_that_is_kept_changes_the_state_of_forecasts_and_no_generation,
        a_forecast_applies_only_what_fits,
        a_deleted_strategy_leaves_the_forecast;
    ahead:
        grounds_are_what_each_forecast_alone_is_computed_from,
        stale_ones_come_first_and_then_those_computed_longest_ago,
        who_has_a_stale_forecast_is_found,
        who_changed_something_meanwhile_keeps_nothing_and_others_do,
        what_was_computed_of_older_prices_is_not_kept,
        who_asks_a_node_with_older_prices_overwrites_no_newer_summary,
        what_can_not_be_computed_has_no_summary_and_waits_for_a_change,
        who_writes_at_this_moment_is_not_waited_for;
    once:
        a_key_makes_a_retry_happen_once,
        a_key_with_another_request_is_refused,
        a_refused_request_does_not_use_up_its_key,
        a_key_is_forgotten_after_a_day;
    tokens:
        tokens_are_found_by_the_beginning_of_symbol_or_name,
        a_token_keeps_its_id_when_its_provider_renames_it,
        prices_are_one_a_token_and_read_from_a_version_on,
        prices_of_a_database_that_was_set_back_are_news_to_who_saw_later_ones;
    pricing:
        one_has_the_lease_until_it_ends,
        who_lost_the_lease_writes_nothing,
        prices_are_wanted_of_what_is_held_or_planned_for;
    firing:
        a_price_fires_what_it_comes_near_to_and_what_it_reaches_each_once,
        what_fires_raises_its_persons_generation,
        what_can_not_be_told_did_not_happen,
        two_nodes_that_store_a_price_at_once_fire_once,
        a_crowd_with_one_target_fires_with_the_price_that_reaches_it,
        a_price_is_not_written_before_all_that_it_calls_for_has_fired,
        only_active_strategies_fire,
        what_is_not_armed_does_not_fire,
        a_step_that_is_set_back_does_not_fire_again,
        who_pauses_a_plan_while_a_price_comes_hears_nothing_of_it,
        who_resumes_a_plan_while_a_price_comes_hears_of_the_next,
        an_alert_that_fired_before_costs_no_price;
    bounds:
        a_person_has_so_many_transactions_and_no_more,
        a_person_holds_so_many_tokens_and_no_more,
        a_person_has_so_many_strategies_and_forecasts_and_no_more;
    strangers:
        what_is_somebody_elses_is_not_found;
}
