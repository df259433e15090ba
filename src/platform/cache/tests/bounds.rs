//! What memory and pages hold, and for whom.

use super::*;

#[actix_web::test]
async fn memory_and_pages_stay_within_their_bytes() {
    let memory = memory::Memory::new(100_000);
    let pages = Pages::new(100_000);
    let times = Times::of(LIFE, 0, 0.5);
    for n in 0..2_000 {
        let user = UserId::new(&n.to_string());
        let value = Arc::new(Text::<1>("x".repeat(1_000)));
        let version = Version { generation: 1, computed: 0 };
        memory.put(&user, Entry { part: "one", version, times, value });
        let page =
            Page { state: 1, until: 9, tag: Default::default(), bytes: vec![0; 1_000].into() };
        pages.put(&user, "/", page);
    }
    for bytes in [memory.settle(), pages.settle()] {
        assert!((50_000..=100_000).contains(&bytes), "{bytes}");
    }
}

#[actix_web::test]
async fn a_page_counts_for_its_owner_address_state_and_time() {
    let pages = Pages::new(10_000);
    let page = Page { state: 7, until: 50, tag: Default::default(), bytes: "page".into() };
    pages.put(&ana(), "/a", page);
    let has = |owner: &str, address, state: i32, now| {
        pages.get(&UserId::new(owner), address, &state, now).is_some()
    };
    assert!(has("ana {of} Rome", "/a", 7, 49));
    for (owner, address, state, now) in [
        ("bo", "/a", 7, 1),
        ("ana {of} Rome", "/b", 7, 1),
        ("ana {of} Rome", "/a", 8, 1),
        ("ana {of} Rome", "/a", 7, 50),
    ] {
        assert!(!has(owner, address, state, now), "{owner} {address} {state} {now}");
    }
    assert!(Pages::<i32>::new(0).get(&ana(), "/a", &7, 1).is_none());
}
