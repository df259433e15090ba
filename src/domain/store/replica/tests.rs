//! A server whose state a test chooses plays the replica: what it says is told from what the primary says by a name.

use super::*;
use crate::{
    domain::{moment::Moment, portfolio::portfolios::NewPortfolio, store::Store},
    platform::{
        metrics::Labels,
        scratch::postgres::shared::{schema, sql},
    },
};

const PATIENCE: Duration = Duration::from_secs(4);
const ALL: Wanted = Wanted { portfolios: true, holdings: true, strategies: true, forecasts: true };
const FEW: Wanted = Wanted { forecasts: false, ..ALL };

/// In both ana has a portfolio that is called like its server, in generation 7 and with summaries of 3.
struct Scene {
    store: Store,
    ana: UserId,
    replica_url: String,
    metrics: Arc<Metrics>,
}

impl Scene {
    async fn new() -> Self {
        let ana = UserId::new("ana");
        let urls = [schema(), schema()];
        for (url, name) in urls.iter().zip(["primary", "replica"]) {
            let store = primary(url);
            let new = NewPortfolio { name: name.into(), description: None, is_default: false };
            store.create_portfolio(&ana, new, None, Moment::now()).await.unwrap();
            sql(url, "update people set generation = 7, computed = 3");
        }
        let [url, replica_url] = urls;
        let metrics = Arc::new(Metrics::new(&Labels::default()).unwrap());
        let options = Options::parse(&replica_url, PATIENCE, PATIENCE).unwrap();
        let replica = Replica::new(options, 2, PATIENCE, metrics.clone()).unwrap();
        Self { store: primary(&url).read_from(replica), ana, replica_url, metrics }
    }

    /// Who answers that the primary has told so; the generation of the answer.
    async fn read(&self, wanted: Wanted, generation: i64, computed: i64) -> (String, i64) {
        let told = Present { generation, computed };
        let read = self.store.parts_in(&self.ana, wanted, told).await.unwrap();
        let portfolios = read.value.portfolios.unwrap();
        (portfolios.first().map(|one| one.name.clone()).unwrap_or_default(), read.generation)
    }

    fn replica(&self, text: &str) {
        sql(&self.replica_url, text);
    }

    fn counted(&self) -> [u64; 3] {
        let count = |from| self.metrics.replica_reads_total.of(from).get();
        ["replica", "primary_behind", "primary_failed"].map(count)
    }
}

fn primary(url: &str) -> Store {
    let options = Options::parse(url, PATIENCE, PATIENCE).unwrap();
    Store::postgres(options, Connections { most: 2, wait: PATIENCE }).unwrap()
}

fn from(server: &str, generation: i64) -> (String, i64) {
    (server.into(), generation)
}

#[actix_web::test]
async fn it_is_believed_about_the_very_state_that_the_primary_told_and_no_other() {
    let it = Scene::new().await;
    assert_eq!(it.read(ALL, 7, 3).await, from("replica", 7));
    assert_eq!(it.read(ALL, 8, 3).await, from("primary", 7), "it is behind");
    assert_eq!(it.read(ALL, 6, 3).await, from("primary", 7), "it went another way");
    assert_eq!(it.read(ALL, 7, 4).await, from("primary", 7), "its summaries are older");
    assert_eq!(it.read(FEW, 7, 4).await, from("replica", 7), "nobody asked for summaries");
    it.replica("delete from people");
    assert_eq!(it.read(ALL, 7, 3).await, from("primary", 7), "it has not heard of them");
    assert_eq!(it.counted(), [2, 4, 0]);
}

#[actix_web::test]
async fn who_never_wrote_is_nobody_in_both() {
    let it = Scene::new().await;
    let told = Present::default();
    let read = it.store.parts_in(&UserId::new("bo"), ALL, told).await.unwrap();
    assert_eq!((read.generation, read.value.portfolios), (0, Some(vec![])));
    assert_eq!(it.counted(), [1, 0, 0]);
}

#[actix_web::test]
async fn what_it_shows_is_of_one_snapshot_with_its_state() {
    let it = Scene::new().await;
    // Its rows are changed between the look at its state and the look at its rows.
    let change = "update portfolios set name = 'later'; update people set generation = 8";
    let (url, owner) = (it.replica_url.clone(), it.ana.clone());
    let replica = it.store.replica.as_ref().unwrap();
    let look: Work<(bool, String)> = Box::new(move |session| {
        Box::pin(async move {
            let told = Present { generation: 7, computed: 3 };
            let nothing = Wanted::default();
            let state = parts_of(session, &owner, nothing, told).await?;
            sql(&url, change);
            let read = parts_of(session, &owner, FEW, told).await?;
            let name = read.and_then(|parts| Some(parts.portfolios?.first()?.name.clone()));
            Ok((state.is_some(), name.unwrap_or_default()))
        })
    });
    let read = replica.postgres.run(Purpose::Read, Whose::Anybody, look).await.unwrap().value;
    assert_eq!(read, (true, "replica".into()));
}

#[actix_web::test]
async fn after_a_failure_it_is_left_alone_and_nobody_is_refused() {
    let it = Scene::new().await;
    it.replica("alter table portfolios rename to elsewhere");
    for _ in 0..3 {
        assert_eq!(it.read(ALL, 7, 3).await, from("primary", 7));
    }
    it.replica("alter table elsewhere rename to portfolios");
    assert_eq!(it.read(ALL, 7, 3).await, from("primary", 7), "it rests");
    assert_eq!(it.counted(), [0, 0, 4]);
    it.store.replica.as_ref().unwrap().rest().0 = None;
    assert_eq!(it.read(ALL, 7, 3).await, from("replica", 7));
}

#[test]
fn one_finds_out_whether_it_is_back_and_each_change_is_told_once() {
    let (mut rest, start) = (Rest::default(), Instant::now());
    let at = |millis: u64| start + Duration::from_millis(millis);
    assert!(rest.may_ask(at(0)) && rest.may_ask(at(1)), "all may while it is well");
    assert!(!rest.answered(at(1)), "no news");
    assert!(rest.failed(at(10)), "news");
    assert!(!rest.failed(at(11)), "known");
    assert!(!rest.may_ask(at(12)) && !rest.may_ask(at(2_010)));
    assert!(!rest.answered(at(5)), "it was asked before it failed");
    assert!(rest.may_ask(at(2_011)), "one");
    assert!(!rest.may_ask(at(2_012)), "and no other");
    assert!(!rest.failed(at(2_260)));
    assert!(!rest.may_ask(at(4_259)) && rest.may_ask(at(4_260)));
    assert!(rest.answered(at(4_260)), "news");
    assert!(rest.may_ask(at(4_261)) && rest.may_ask(at(4_261)));
}
