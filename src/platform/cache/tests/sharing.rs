//! Two caches and one Redis, which is killed, stopped and flushed.

use super::*;

#[actix_web::test]
async fn a_thousand_who_ask_two_nodes_at_once_are_one_load() {
    let redis = Redis::start(&[]).unwrap();
    let nodes =
        [Scene::<1>::connected(1 << 20, &redis).await, Scene::connected(1 << 20, &redis).await];
    let source = Source::shut();
    let all = (0..1_000).map(|n| nodes[n % 2].right(&source));
    let waiting =
        |whom| nodes.iter().map(|it| it.metrics.cache_waits_total.of(whom).get()).sum::<u64>();
    let let_go = async {
        until("one node waits for the other", || waiting("elsewhere") == 1).await;
        until("all others wait for theirs", || waiting("here") == 998).await;
        source.gate.add_permits(1_000);
    };
    join(join_all(all), let_go).await;
    assert_eq!(source.reads(), 1);
    assert_eq!(nodes[0].metrics.cache_redis_failures_total.get(), 0);
}

#[actix_web::test]
async fn what_was_written_meanwhile_is_filed_under_what_was_read() {
    let redis = Redis::start(&[]).unwrap();
    let (it, other) =
        (Scene::<1>::connected(1 << 20, &redis).await, Scene::<1>::connected(0, &redis).await);
    let source = Source::open();
    let asked = source.present();
    source.generation.store(2, SeqCst);
    assert_eq!(it.get(&source, asked).await.unwrap(), ["one of 2", "two of 2"]);
    stored(&redis).await;
    let names = redis.ask(&["KEYS", "*:2.0:*"]).unwrap();
    assert_eq!(names.len(), 2, "{names:?}");
    other.right(&source).await;
    it.right(&source).await;
    assert_eq!(source.reads(), 1);
}

#[actix_web::test]
async fn a_node_that_died_with_its_lease_holds_up_others_for_its_lease_at_most() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(1 << 20, &redis).await, Source::open());
    lease(&it, &source);
    let begun = Instant::now();
    it.right(&source).await;
    assert!(begun.elapsed() < redis_level::LEASE + Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!((source.reads(), it.metrics.cache_waits_total.of("elsewhere").get()), (1, 1));
}

#[actix_web::test]
async fn a_slow_loader_gives_back_its_own_lease_only() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(1 << 20, &redis).await, Source::open());
    let late = lease(&it, &source);
    redis.ask(&["FLUSHALL"]).unwrap();
    let present = lease(&it, &source);
    let left = |mark| {
        let asked = both(&source);
        on_its_thread(&it, async move |shared| shared.release(&ana(), &asked, mark).await);
        redis.ask(&["DBSIZE"]).unwrap()
    };
    assert_eq!(left(late), ["1"]);
    assert_eq!(left(present), ["0"]);
}

/// Takes the lease for both parts.
fn lease(it: &Scene<1>, source: &Source) -> u64 {
    let asked = both(source);
    match on_its_thread(it, async move |shared| shared.lease(&ana(), &asked).await) {
        redis_level::Lease::Mine(mark) => mark,
        other => panic!("{other:?}"),
    }
}

fn both(source: &Source) -> [Asked; 2] {
    [ONE, TWO].map(|part| Asked { part, version: source.present() })
}

/// Asks Redis on the thread that carries the connections.
fn on_its_thread<T: Send + 'static, F>(
    it: &Scene<1>,
    ask: impl FnOnce(Arc<Shared>) -> F + Send + 'static,
) -> T
where
    F: Future<Output = T> + Send,
{
    let shared = it.shared.clone().unwrap();
    let (tell, told) = std::sync::mpsc::channel();
    drop(it.cache.engine().run(async move { tell.send(ask(shared).await).unwrap() }));
    told.recv_timeout(Duration::from_secs(10)).unwrap()
}

#[actix_web::test]
async fn without_redis_everything_is_slower_and_nothing_is_wrong() {
    let mut redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(0, &redis).await, Source::open());
    let next = || source.generation.fetch_add(1, SeqCst);
    it.right(&source).await;
    stored(&redis).await;
    it.right(&source).await;
    assert_eq!(source.reads(), 1, "it comes from Redis");
    redis.ask(&["FLUSHALL"]).unwrap();
    it.right(&source).await;
    assert_eq!(source.reads(), 2, "Redis has forgotten it");
    next();
    redis.pause().unwrap();
    let begun = Instant::now();
    for _ in 0..50 {
        it.right(&source).await;
        next();
    }
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    redis.resume().unwrap();
    redis.kill().unwrap();
    for _ in 0..50 {
        it.right(&source).await;
        next();
    }
    redis.restart().unwrap();
    let end = Instant::now() + Duration::from_secs(20);
    while redis.ask(&["DBSIZE"]).unwrap() == ["0"] {
        assert!(Instant::now() < end, "Redis is used again when it is there again");
        it.right(&source).await;
        next();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    it.right(&source).await;
    assert!(it.metrics.cache_redis_failures_total.get() >= 2);
}

#[actix_web::test]
async fn another_version_of_the_program_finds_nothing_of_this_one() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(0, &redis).await, Source::open());
    it.right(&source).await;
    stored(&redis).await;
    Scene::<2>::connected(0, &redis).await.right(&source).await;
    assert_eq!(source.reads(), 2);
    it.right(&source).await;
    assert_eq!(source.reads(), 2, "nor does it take anything away from it");
}

#[actix_web::test]
async fn garbage_in_redis_is_loaded_anew() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(0, &redis).await, Source::open());
    it.right(&source).await;
    stored(&redis).await;
    let name = redis.ask(&["KEYS", "*:one"]).unwrap().remove(0);
    assert!(name.starts_with("test:k:1:{ana%20%7Bof%7D%20Rome}:1.0:"), "{name}");
    for garbage in ["", "x", "0123456789abcdef\u{0}"] {
        redis.ask(&["SET", &name, garbage]).unwrap();
        it.right(&source).await;
    }
    let left = || redis.ask(&["PTTL", &name]).unwrap()[0].parse().unwrap_or(0);
    until("it goes by itself", || (100 * SECOND..=200 * SECOND).contains(&left())).await;
}

#[actix_web::test]
async fn who_asks_for_more_does_not_wait_for_the_lease_of_what_was_loaded_before() {
    let redis = Redis::start(&[]).unwrap();
    let (it, source) = (Scene::<1>::connected(1 << 20, &redis).await, Source::open());
    let asked = [Asked { part: ONE, version: source.present() }];
    it.cache.get(&ana(), &asked, source.load()).await.unwrap();
    let begun = Instant::now();
    it.right(&source).await;
    assert!(begun.elapsed() < redis_level::LEASE, "{:?}", begun.elapsed());
    assert_eq!(source.reads(), 2);
}

#[actix_web::test]
async fn what_is_too_large_for_redis_is_loaded_by_each_node_without_waiting() {
    let redis = Redis::start(&[]).unwrap();
    let nodes = [Scene::<1>::connected(0, &redis).await, Scene::connected(0, &redis).await];
    let source = Source::open();
    let large = Part { name: Box::leak("x".repeat(20_000).into_boxed_str()), life: LIFE };
    let asked = [Asked { part: large, version: source.present() }];
    let begun = Instant::now();
    for node in &nodes {
        node.cache.get(&ana(), &asked, source.load()).await.unwrap();
        until("the lease was given back", || redis.ask(&["DBSIZE"]).unwrap() == ["0"]).await;
    }
    assert!(begun.elapsed() < redis_level::LEASE, "{:?}", begun.elapsed());
    assert_eq!(source.reads(), 2);
}
