//! Tables of names and of who may do what.

use super::*;

fn namespaces(shape: impl FnOnce(&mut settings::Namespace)) -> Namespaces {
    let mut chat = settings::NamedNamespace { name: "chat".into(), ..Default::default() };
    shape(&mut chat.options);
    let channels = settings::Channels { namespaces: vec![chat], ..Default::default() };
    Namespaces::new(&channels, &settings::PersonalChannel::default())
}

fn channel(name: &str) -> Channel {
    Channel::trusted(name)
}

/// A user ("" for anonymous) who is or is not subscribed.
fn may(
    ask: fn(&Namespaces, &Channel, Asker<'_>) -> Result<Arc<Namespace>, Refusal>,
    namespaces: &Namespaces,
    name: &str,
    user: &str,
    is_subscriber: bool,
    insecure: bool,
) -> Result<(), u32> {
    let user = UserId::new(user);
    let asker = Asker { user: &user, is_subscriber, insecure };
    ask(namespaces, &channel(name), asker).map(drop).map_err(|refusal| refusal.code)
}

fn subscribe(namespaces: &Namespaces, name: &str, user: &str) -> Result<(), u32> {
    may(|n, c, a| n.may_subscribe(c, a, false), namespaces, name, user, false, false)
}

#[test]
fn the_text_before_the_first_boundary_names_the_namespace() {
    let namespaces = namespaces(|_| ());
    for (name, expected) in [
        ("news", Ok("")),
        ("chat:room", Ok("chat")),
        ("chat:a:b", Ok("chat")),
        ("$chat:room", Ok("chat")),
        ("$news", Ok("")),
        ("chat:#ana", Ok("chat")),
        ("nope:room", Err(102)),
        (":room", Err(102)),
        ("Chat:room", Err(102)),
    ] {
        let found = namespaces.resolve(&channel(name));
        let found = found.as_ref().map(|n| n.name.as_str()).map_err(|refusal| refusal.code);
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_configured_namespace_denies_everything_by_default() {
    let namespaces = namespaces(|options| {
        options.presence = true;
        options.history_size = 1;
        options.history_ttl = Duration::from_secs(1);
    });
    assert_eq!(subscribe(&namespaces, "chat:room", "ana"), Err(103));
    for ask in [Namespaces::may_publish, Namespaces::may_history, Namespaces::may_presence] {
        assert_eq!(may(ask, &namespaces, "chat:room", "ana", true, false), Err(103));
        assert_eq!(may(ask, &namespaces, "chat:room", "ana", true, true), Ok(()));
    }
}

#[test]
fn without_a_namespace_every_user_is_welcome_and_nobody_else() {
    let namespaces = namespaces(|_| ());
    assert_eq!(subscribe(&namespaces, "news", "ana"), Ok(()));
    assert_eq!(subscribe(&namespaces, "news", ""), Err(103));
    for ask in [Namespaces::may_publish, Namespaces::may_history, Namespaces::may_presence] {
        assert_eq!(may(ask, &namespaces, "news", "ana", false, false), Ok(()));
        assert_eq!(may(ask, &namespaces, "news", "", true, false), Err(103));
    }
}

#[test]
fn who_may_subscribe() {
    let shut = namespaces(|_| ());
    let open = namespaces(|options| {
        options.allow_subscribe_for_client = true;
        options.allow_user_limited_channels = true;
    });
    let anonymous = namespaces(|options| {
        options.allow_subscribe_for_client = true;
        options.allow_subscribe_for_anonymous = true;
        options.allow_user_limited_channels = true;
    });
    // (namespaces, channel, user, insecure, token, outcome)
    let table = [
        (&shut, "chat:room", "ana", false, false, Err(103)),
        (&shut, "chat:room", "ana", false, true, Ok(())),
        (&shut, "chat:room", "ana", true, false, Ok(())),
        (&shut, "nope:room", "ana", true, true, Err(102)),
        (&open, "chat:room", "ana", false, false, Ok(())),
        (&open, "chat:room", "", false, false, Err(103)),
        (&anonymous, "chat:room", "", false, false, Ok(())),
        // Private: only ever with a token.
        (&open, "$chat:room", "ana", false, false, Err(103)),
        (&open, "$chat:room", "ana", true, false, Err(103)),
        (&open, "$chat:room", "ana", false, true, Ok(())),
        // User-limited: those who are named, whole names only.
        (&open, "chat:t#ana,bo", "ana", false, false, Ok(())),
        (&open, "chat:t#ana,bo", "bo", false, false, Ok(())),
        (&open, "chat:t#ana,bo", "an", false, false, Err(103)),
        (&open, "chat:t#ana,bo", "ana,bo", false, false, Err(103)),
        (&open, "chat:t#ana,bo", "eve", false, false, Err(103)),
        (&open, "chat:t#ana,bo", "eve", false, true, Ok(())),
        (&open, "chat:t#ana,bo", "eve", true, false, Ok(())),
        (&open, "chat:t#eve#ana", "eve", false, false, Err(103)),
        (&open, "$chat:t#ana", "ana", false, false, Err(103)),
        (&anonymous, "chat:t#", "", false, false, Err(103)),
        (&anonymous, "chat:t#ana,", "", false, false, Err(103)),
        // Not allowed here: then even those who are named stay out.
        (&shut, "chat:t#ana", "ana", false, false, Err(103)),
    ];
    for (namespaces, name, user, insecure, token, expected) in table {
        let user = UserId::new(user);
        let asker = Asker { user: &user, is_subscriber: false, insecure };
        let outcome = namespaces.may_subscribe(&channel(name), asker, token);
        let outcome = outcome.map(drop).map_err(|refusal| refusal.code);
        assert_eq!(outcome, expected, "{name} {user} insecure {insecure} token {token}");
    }
}

#[test]
fn who_may_publish() {
    let with = |subscriber, client, anonymous| {
        namespaces(move |options| {
            options.allow_publish_for_subscriber = subscriber;
            options.allow_publish_for_client = client;
            options.allow_publish_for_anonymous = anonymous;
        })
    };
    // (for subscriber, for client, for anonymous), user, is subscribed, outcome
    for ((subscriber, client, anonymous), user, subscribed, expected) in [
        ((true, false, false), "ana", true, Ok(())),
        ((true, false, false), "ana", false, Err(103)),
        ((true, false, false), "", true, Err(103)),
        ((true, false, true), "", true, Ok(())),
        ((true, false, true), "", false, Err(103)),
        ((false, true, false), "ana", false, Ok(())),
        ((false, true, false), "", false, Err(103)),
        ((false, true, true), "", false, Ok(())),
        ((false, false, true), "", true, Err(103)),
    ] {
        let namespaces = with(subscriber, client, anonymous);
        let outcome =
            may(Namespaces::may_publish, &namespaces, "chat:room", user, subscribed, false);
        assert_eq!(outcome, expected, "{subscriber} {client} {anonymous} {user:?} {subscribed}");
    }
}

#[test]
fn what_is_switched_off_is_not_available_even_when_insecure() {
    let namespaces = namespaces(|_| ());
    for insecure in [false, true] {
        for ask in [Namespaces::may_history, Namespaces::may_presence] {
            assert_eq!(may(ask, &namespaces, "chat:room", "ana", true, insecure), Err(108));
        }
    }
}

#[test]
fn who_may_not_enter_may_not_read_along() {
    let namespaces = namespaces(|_| ());
    for ask in [Namespaces::may_history, Namespaces::may_presence] {
        for (name, user, subscribed, expected) in [
            ("$plans", "eve", false, Err(103)),
            ("$plans", "ana", true, Ok(())),
            ("#ana", "eve", false, Err(103)),
            ("#ana", "ana", false, Ok(())),
            ("talk#ana,bo", "bo", false, Ok(())),
            ("talk#ana,bo", "eve", false, Err(103)),
        ] {
            assert_eq!(may(ask, &namespaces, name, user, subscribed, false), expected, "{name}");
        }
    }
}

#[test]
fn a_personal_channel_belongs_to_one_user() {
    let with = |enabled, namespace: &str| {
        let personal =
            settings::PersonalChannel { enabled, personal_channel_namespace: namespace.into() };
        Namespaces::new(&settings::Channels::default(), &personal)
    };
    let of = |namespaces: &Namespaces, user: &str| {
        let channel = namespaces.personal_channel(&UserId::new(user));
        channel.map(|c| c.map(|c| c.to_string())).map_err(|refusal| refusal.code)
    };
    assert_eq!(of(&with(false, ""), "ana"), Ok(None));
    assert_eq!(of(&with(true, ""), ""), Ok(None));
    assert_eq!(of(&with(true, ""), "ana"), Ok(Some("#ana".into())));
    assert_eq!(of(&with(true, "chat"), "ana"), Ok(Some("chat:#ana".into())));
    for id in ["ana,bo", "x#ana", "an a", "\u{e9}", &"x".repeat(255)] {
        assert_eq!(of(&with(true, ""), id), Err(107), "{id}");
    }
}

#[test]
fn everybody_has_a_durable_channel_for_alerts_that_nobody_else_enters() {
    let namespaces = namespaces(|_| ());
    let channel = namespaces.channel_of(ALERTS, &UserId::new("ana")).unwrap();
    assert_eq!(&*channel, "alerts:#ana");
    assert_eq!(namespaces.resolve(&channel).unwrap().storage(), Storage::Durable);
    assert_eq!(subscribe(&namespaces, &channel, "ana"), Ok(()));
    for other in ["bo", "", "an", "#ana"] {
        assert_eq!(subscribe(&namespaces, &channel, other), Err(103), "{other}");
    }
    assert_eq!(
        namespaces.channel_of(ALERTS, &UserId::new("ana,bo")).map_err(|no| no.code),
        Err(107)
    );
    let mut mine = settings::NamedNamespace { name: ALERTS.into(), ..Default::default() };
    mine.options.allow_user_limited_channels = true;
    let channels = settings::Channels { namespaces: vec![mine], ..Default::default() };
    let namespaces = Namespaces::new(&channels, &settings::PersonalChannel::default());
    assert_eq!(
        namespaces.resolve(&channel).unwrap().storage(),
        Storage::None,
        "as it is configured"
    );
}

#[test]
fn a_namespace_that_is_gone_from_the_settings_keeps_what_was_said() {
    let namespaces = namespaces(|_| ());
    assert_eq!(namespaces.retention(&channel("news")).size, 1000);
    assert_eq!(namespaces.retention(&channel("gone:room")).size, u64::MAX);
}

#[test]
fn three_kinds_of_storage() {
    for (size, durable, expected) in
        [(0, false, Storage::None), (1, false, Storage::Memory), (1, true, Storage::Durable)]
    {
        let namespaces = namespaces(|options| {
            options.history_size = size;
            options.history_ttl = Duration::from_secs(size);
            options.durable = durable;
        });
        let namespace = namespaces.resolve(&channel("chat:room")).unwrap();
        assert_eq!(namespace.storage(), expected);
    }
}
