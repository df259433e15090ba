//! Who is refused, by which limit, and who is remembered.

use super::*;
use crate::platform::metrics::Labels;

const SECOND: Micros = 1_000_000;

fn rates(set: impl FnOnce(&mut RateLimit)) -> Arc<Rates> {
    let mut settings = RateLimit {
        user_connect_rate: 0,
        user_command_rate: 0,
        user_publish_rate: 0,
        device_command_rate: 0,
        device_publish_rate: 0,
        ..RateLimit::default()
    };
    set(&mut settings);
    let metrics = Metrics::new(&Labels::default()).unwrap();
    Rates::new(&settings, None, Arc::new(metrics))
}

fn user(name: &str) -> UserId {
    UserId::new(name)
}

fn remembered(rates: &Rates) -> usize {
    (0..SHARDS).map(|shard| rates.lock(shard).len()).sum()
}

#[test]
fn a_user_has_one_limit_on_all_devices_and_another_user_has_another() {
    let rates = rates(|it| (it.user_publish_rate, it.user_publish_burst) = (2, 3));
    let (mut phone, mut laptop) = (Device::default(), Device::default());
    let ana = user("ana");
    assert!(rates.command_at(&ana, &mut phone, true, 0).is_ok());
    assert!(rates.command_at(&ana, &mut laptop, true, 0).is_ok());
    assert!(rates.command_at(&ana, &mut phone, true, 0).is_ok());
    let over = rates.command_at(&ana, &mut laptop, true, 0).unwrap_err();
    assert_eq!(over.to_string(), "too many publishes of this user; try again in 500 ms");
    assert_eq!(rates.metrics.rate_limited_total.of("user_publish").get(), 1);
    assert!(rates.command_at(&ana, &mut laptop, false, 0).is_ok(), "a publish is what is limited");
    assert!(rates.command_at(&user("bo"), &mut Device::default(), true, 0).is_ok());
    assert!(rates.command_at(&ana, &mut laptop, true, SECOND / 2).is_ok());
}

#[test]
fn a_publish_is_a_command_too_and_what_is_refused_costs_nothing() {
    let rates = rates(|it| {
        (it.device_command_rate, it.device_command_burst) = (1, 3);
        (it.device_publish_rate, it.device_publish_burst) = (1, 1);
    });
    let (ana, mut phone) = (user("ana"), Device::default());
    assert!(rates.command_at(&ana, &mut phone, true, 0).is_ok());
    for _ in 0..10 {
        let over = rates.command_at(&ana, &mut phone, true, 0).unwrap_err();
        assert_eq!(over.limit(), "device_publish");
    }
    assert!(rates.command_at(&ana, &mut phone, false, 0).is_ok());
    assert!(rates.command_at(&ana, &mut phone, false, 0).is_ok());
    assert_eq!(rates.command_at(&ana, &mut phone, false, 0).unwrap_err().limit(), "device_command");
    assert!(rates.command_at(&ana, &mut Device::default(), false, 0).is_ok(), "another device");
}

#[test]
fn who_hammers_for_ten_bursts_is_told_apart_from_who_is_a_little_over() {
    let rates = rates(|it| (it.device_command_rate, it.device_command_burst) = (10, 5));
    let ana = user("ana");
    let mut phone = Device::default();
    let refused = |device: &mut Device, now| rates.command_at(&ana, device, false, now).err();
    let over: Vec<_> = (0..56).filter_map(|_| refused(&mut phone, 0)).collect();
    assert_eq!(over.len(), 51);
    assert_eq!(over.iter().position(|over| over.hammering), Some(50));
    // Half as much again as is allowed, for ever.
    let mut laptop = Device::default();
    let mut now = 0;
    for _ in 0..10_000 {
        now += SECOND / 15;
        assert!(!refused(&mut laptop, now).is_some_and(|over| over.hammering));
    }
}

#[test]
fn only_who_went_fast_is_remembered_and_not_for_long() {
    let rates = rates(|it| (it.user_command_rate, it.user_command_burst) = (1, 5));
    for n in 0..100 {
        let who = user(&format!("user-{n}"));
        assert!(rates.command_at(&who, &mut Device::default(), false, 0).is_ok());
    }
    assert_eq!(remembered(&rates), 100);
    (0..SHARDS).for_each(|shard| rates.sweep_at(shard, 5 * SECOND - 1));
    assert_eq!(remembered(&rates), 100);
    (0..SHARDS).for_each(|shard| rates.sweep_at(shard, 5 * SECOND));
    assert_eq!(remembered(&rates), 0);
}

#[test]
fn connects_are_counted_by_user_and_those_without_one_are_not() {
    let rates = rates(|it| (it.user_connect_rate, it.user_connect_burst) = (1, 2));
    for _ in 0..2 {
        assert!(rates.connect(&user("ana")).is_ok());
    }
    assert_eq!(rates.connect(&user("ana")).unwrap_err().limit(), "user_connect");
    for _ in 0..100 {
        assert!(rates.connect(&user("")).is_ok());
    }
    assert!(rates.connect(&user("bo")).is_ok());
}

#[test]
fn without_limits_nobody_is_remembered() {
    let rates = rates(|_| ());
    let mut phone = Device::default();
    for _ in 0..1_000 {
        assert!(rates.command_at(&user("ana"), &mut phone, true, 0).is_ok());
        assert!(rates.connect(&user("ana")).is_ok());
    }
    assert_eq!(remembered(&rates), 0);
    assert!(size_of::<Device>() <= 48);
}
