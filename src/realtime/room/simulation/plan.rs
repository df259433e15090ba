//! Plans, and the search for one that breaks the property.

use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner},
};

use super::{MEMBERS, NODES, Step, play};
use crate::platform::mutant::caught;

/// Plans that the right rooms have to survive: about a second.
const PLANS: u32 = 3_000;

/// Plans among which each mutant is found.
const ENOUGH: u32 = 3_000;

/// The longest plan.
const STEPS: usize = 80;

fn step(nodes: usize) -> impl Strategy<Value = Step> {
    let node = move || 0..nodes;
    prop_oneof![
        3 => node().prop_map(Step::Publish),
        3 => node().prop_map(Step::Commit),
        3 => node().prop_map(Step::Tell),
        4 => (0..16usize, prop::bool::weighted(0.2))
            .prop_map(|(which, again)| Step::Arrive { which, again }),
        1 => (0..16usize).prop_map(Step::Lose),
        1 => node().prop_map(Step::Feed),
        3 => node().prop_map(Step::Snapshot),
        3 => node().prop_map(Step::Answer),
        3 => (0..MEMBERS, node()).prop_map(|(member, node)| Step::Come { member, node }),
        1 => (0..MEMBERS, node()).prop_map(|(member, node)| Step::Expect { member, node }),
        1 => (0..MEMBERS).prop_map(Step::Leave),
        2 => node().prop_map(Step::GoodBye),
        1 => node().prop_map(Step::Census),
        1 => node().prop_map(Step::Fall),
        1 => (node(), 0..4usize).prop_map(|(node, after)| Step::Trip { node, after }),
    ]
}

/// The shortest plan found that breaks the property, and how.
fn search(nodes: usize, plans: u32) -> Result<(), String> {
    let config = Config { cases: plans, failure_persistence: None, ..Config::default() };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    let mut runner = TestRunner::new_with_rng(config, rng);
    let found = runner.run(&vec(step(nodes), 0..STEPS), |plan| {
        play(&plan, nodes).map_err(|wrong| TestCaseError::fail(format!("{wrong:?}")))
    });
    match found {
        Ok(()) => Ok(()),
        Err(TestError::Fail(how, plan)) => Err(format!("{how} by {plan:#?}")),
        Err(TestError::Abort(why)) => panic!("the search was given up: {why}"),
    }
}

#[track_caller]
fn holds(nodes: usize, plans: u32) {
    if let Err(counterexample) = search(nodes, plans) {
        panic!("{counterexample}");
    }
}

#[test]
fn every_member_has_everything_once_whatever_the_bridge_does() {
    holds(NODES, PLANS);
}

#[test]
fn every_member_of_a_node_alone_has_everything_once() {
    holds(1, PLANS);
}

fn three_nodes() {
    holds(NODES, ENOUGH);
}

fn one_node() {
    holds(1, ENOUGH);
}

caught! {
    it_finds_an_own_commit_that_is_delivered_past_the_door: OwnCommitPastTheDoor by three_nodes;
    it_finds_arrivals_that_are_not_deduplicated: ArrivalsNotDeduplicated by three_nodes;
    it_finds_a_member_that_is_told_the_top_of_the_room_for_that_of_the_journal: TopOfTheRoom by three_nodes;
    it_finds_a_gap_that_is_skipped: GapSkipped by three_nodes;
    it_finds_a_late_good_bye_that_ends_a_newer_subscription: LeaveWithoutNumber by one_node;
    it_finds_rows_and_top_that_were_read_apart: RowsThenTop by three_nodes;
    it_finds_a_recovery_that_leaves_out_what_came_while_it_read: MergedWithoutTheRing by three_nodes;
    it_finds_a_page_that_is_taken_for_another_members: PageOfAnother by three_nodes;
    it_finds_a_late_comer_that_is_judged_by_an_older_page: LateComerJudged by three_nodes;
    it_finds_a_last_word_that_the_bridge_lost_and_no_feed_told: LastWordDropped by three_nodes;
    it_finds_a_room_that_fell_and_goes_on_with_what_it_had_begun: StepsKeptInAFall by one_node;
    it_finds_a_room_that_fell_and_forgets_who_was_on_the_way_in: ComersLostInAFall by one_node;
    it_finds_a_room_that_fell_and_does_not_look: FallForgetsToLook by one_node;
}
