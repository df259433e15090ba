//! Settings of channels: how their names are read, and what each namespace keeps and allows.

use std::time::Duration;

use super::{
    section::{AsShape, Field, Section, Shape, Wrong, section},
    value::words,
};

section! {
    /// Channels. The namespace of `chat:room-1` is `chat`; names without a `:` have none.
    #[check(check_channels)]
    pub struct Channels {
        /// Characters of a channel's name, at most.
        pub max_length: usize = 255,
        /// A channel whose name starts like this needs a subscription token.
        pub private_prefix: String = "$".into(),
        /// What ends the namespace in a channel's name.
        pub namespace_boundary: String = ":".into(),
        /// What comes before the users of a user-limited channel, as in `talk#ana,bo`.
        pub user_boundary: String = "#".into(),
        /// What stands between those users.
        pub user_separator: String = ",".into(),
        /// Channels without a namespace. Unlike every other namespace these are open from the
        /// start to any holder of a valid token, so that a first try needs no configuration.
        pub without_namespace: Namespace = Namespace::open(),
        /// The namespaces, as `[[channel.namespaces]]` tables: a `name` (two or more of letters,
        /// digits, `-` and `_`) and the options of `channel.without_namespace` below. What is not
        /// mentioned is off, and nobody may do anything. Three are there without being named: `prices:<token id>` and
        /// `dashboard:#<user>` tell what changes, and `alerts:#<user>` what fired, durable and kept for 30 days.
        pub namespaces: Vec<NamedNamespace> = Vec::new(),
    }
}

section! {
    /// What the channels of a namespace keep, send and allow.
    #[check(check_namespace)]
    pub struct Namespace {
        /// Keeps who is subscribed, and answers `presence`.
        pub presence: bool = false,
        /// Tells who comes and goes, to subscribers that ask for it.
        pub join_leave: bool = false,
        /// Tells it to all subscribers, asked or not.
        pub force_push_join_leave: bool = false,
        /// Publications kept of a channel, at most. 0: none, it has no history.
        pub history_size: u64 = 0,
        /// How long each is kept. 0: no history.
        pub history_ttl: Duration = Duration::ZERO,
        /// How long a channel's position outlives its last publication.
        pub history_meta_ttl: Duration = Duration::from_secs(30 * 86400),
        /// Keeps the history in the journal, and acknowledges a publish after its commit.
        /// Otherwise it is in memory and ends with the node.
        pub durable: bool = false,
        /// Every subscriber can recover what it missed, asked or not.
        pub force_recovery: bool = false,
        /// Every subscriber's position is watched, asked or not.
        pub force_positioning: bool = false,
        /// Subscribers may ask to recover.
        pub allow_recovery: bool = false,
        /// Subscribers may ask for their position to be watched.
        pub allow_positioning: bool = false,
        /// "stream" recovers all that was missed, "cache" the last publication only.
        pub force_recovery_mode: RecoveryMode = RecoveryMode::Stream,
        /// Ways in which subscribers may ask for deltas: `["fossil"]`, or none.
        pub allowed_delta_types: Vec<String> = Vec::new(),
        /// Publications may go as deltas to those who asked.
        pub delta_publish: bool = false,
        /// What clients may publish: "json", "json_object", or "binary" for anything.
        pub publication_data_format: DataFormat = DataFormat::Json,
        /// Users may subscribe.
        pub allow_subscribe_for_client: bool = false,
        /// Anonymous users may too.
        pub allow_subscribe_for_anonymous: bool = false,
        /// Subscribers may publish.
        pub allow_publish_for_subscriber: bool = false,
        /// Users may publish, subscribed or not.
        pub allow_publish_for_client: bool = false,
        /// What is allowed to publish above is so for anonymous users too.
        pub allow_publish_for_anonymous: bool = false,
        /// Subscribers may read the history.
        pub allow_history_for_subscriber: bool = false,
        /// Users may read the history, subscribed or not.
        pub allow_history_for_client: bool = false,
        /// What is allowed of the history above is so for anonymous users too.
        pub allow_history_for_anonymous: bool = false,
        /// Subscribers may see who is there.
        pub allow_presence_for_subscriber: bool = false,
        /// Users may see who is there, subscribed or not.
        pub allow_presence_for_client: bool = false,
        /// What is allowed of presence above is so for anonymous users too.
        pub allow_presence_for_anonymous: bool = false,
        /// Users named in a channel's name, as in `talk#ana,bo`, may subscribe to it.
        pub allow_user_limited_channels: bool = false,
    }
}

words! {
    /// What a subscriber gets back that asks to recover.
    RecoveryMode {
        /// Everything that it missed.
        Stream = "stream",
        /// The last publication.
        Cache = "cache",
    }
}

words! {
    /// What the data of a publication may be.
    DataFormat {
        /// Any JSON value.
        Json = "json",
        /// A JSON object.
        JsonObject = "json_object",
        /// Any bytes, or none. Only Protobuf clients can read what is no JSON.
        Binary = "binary",
    }
}

/// A namespace with its name; in files the options stand beside the name.
#[derive(Clone, PartialEq, Debug, Default)]
pub struct NamedNamespace {
    /// As it stands before the boundary in a channel's name.
    pub name: String,
    /// What it keeps and allows.
    pub options: Namespace,
}

impl Section for NamedNamespace {
    fn fields(&mut self) -> Vec<Field<'_>> {
        let docs = &[" As it stands before the boundary in a channel's name."];
        let mut fields = vec![Field { name: "name", docs, shape: self.name.shape() }];
        fields.extend(self.options.fields());
        fields
    }

    fn about(&self) -> &'static [&'static str] {
        &[" A namespace: channels whose names begin with its own."]
    }

    fn check(&self, wrong: &mut Wrong) {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        wrong.unless(
            self.name.len() >= 2 && self.name.chars().all(fits),
            "name",
            "two or more letters, digits, \"-\" or \"_\"",
        );
        self.options.check(wrong);
    }
}

impl AsShape for Vec<NamedNamespace> {
    fn shape(&mut self) -> Shape<'_> {
        Shape::List(self)
    }
}

impl Channels {
    /// Names of the namespaces whose channels are kept in the journal; what has no namespace is `without_namespace`.
    pub fn durable_namespaces(&self) -> Vec<&str> {
        let named = self.namespaces.iter().map(|it| (it.name.as_str(), it.options.durable));
        let all = [("without_namespace", self.without_namespace.durable)].into_iter().chain(named);
        all.filter_map(|(name, durable)| durable.then_some(name)).collect()
    }
}

impl Namespace {
    /// Durable, recoverable and open to every user: what channels without a namespace are.
    pub fn open() -> Self {
        Self {
            presence: true,
            join_leave: true,
            history_size: 1000,
            history_ttl: Duration::from_secs(7 * 86400),
            durable: true,
            force_recovery: true,
            allow_subscribe_for_client: true,
            allow_publish_for_client: true,
            allow_history_for_client: true,
            allow_presence_for_client: true,
            allow_user_limited_channels: true,
            ..Self::default()
        }
    }

    /// Where people are told what fired: kept for those who are away, and open to the user in a channel's name alone.
    pub fn alerts() -> Self {
        Self {
            history_size: 1000,
            history_ttl: Duration::from_secs(30 * 86400),
            durable: true,
            force_recovery: true,
            allow_history_for_subscriber: true,
            allow_user_limited_channels: true,
            ..Self::default()
        }
    }

    /// What a token costs: the last price is there for who comes in, and each further one as it is known.
    pub fn prices() -> Self {
        Self {
            history_size: 1,
            history_ttl: Duration::from_secs(86400),
            force_recovery: true,
            force_recovery_mode: RecoveryMode::Cache,
            allow_subscribe_for_client: true,
            ..Self::default()
        }
    }

    /// What people's own dashboards show, as it changes: open to the user in a channel's name alone.
    pub fn dashboard() -> Self {
        Self { allow_user_limited_channels: true, ..Self::default() }
    }

    /// Whether channels have a stream of offsets.
    pub fn has_history(&self) -> bool {
        self.history_size > 0 && !self.history_ttl.is_zero()
    }

    /// Whether subscribers may negotiate fossil deltas.
    pub fn allows_fossil(&self) -> bool {
        self.allowed_delta_types.iter().any(|kind| kind == FOSSIL)
    }
}

/// The one kind of delta.
const FOSSIL: &str = "fossil";

fn check_namespace(options: &Namespace, wrong: &mut Wrong) {
    let history = options.has_history();
    for (key, on) in [
        ("durable", options.durable),
        ("force_recovery", options.force_recovery),
        ("force_positioning", options.force_positioning),
        ("allow_recovery", options.allow_recovery),
        ("allow_positioning", options.allow_positioning),
        ("delta_publish", options.delta_publish),
    ] {
        wrong.unless(history || !on, key, "history_size and history_ttl beside it, or false");
    }
    wrong.unless(
        (options.history_size == 0) == options.history_ttl.is_zero(),
        "history_size",
        "history_size and history_ttl both set, or neither",
    );
    wrong.unless(
        options.history_meta_ttl >= options.history_ttl,
        "history_meta_ttl",
        "at least history_ttl: a position must outlive what it points to",
    );
    wrong.unless(
        options.allowed_delta_types.iter().all(|kind| kind == FOSSIL),
        "allowed_delta_types",
        "[\"fossil\"] or []",
    );
    wrong.unless(
        options.join_leave || !options.force_push_join_leave,
        "force_push_join_leave",
        "join_leave beside it, or false",
    );
}

fn check_channels(channels: &Channels, wrong: &mut Wrong) {
    wrong.unless(
        (1..=255).contains(&channels.max_length),
        "max_length",
        "from 1 to 255: the journal has no room for longer names",
    );
    let marks = [
        ("private_prefix", &channels.private_prefix),
        ("namespace_boundary", &channels.namespace_boundary),
        ("user_boundary", &channels.user_boundary),
        ("user_separator", &channels.user_separator),
    ];
    for (at, (key, mark)) in marks.iter().enumerate() {
        let one = mark.len() == 1 && mark.chars().all(|c| c.is_ascii_punctuation());
        wrong.unless(one, key, "one punctuation character of ASCII");
        let taken = marks[..at].iter().find(|(_, other)| other == mark);
        let other = taken.map_or("", |(other, _)| other);
        wrong.unless(taken.is_none(), key, format!("another character than channel.{other}"));
    }
    for (at, namespace) in channels.namespaces.iter().enumerate() {
        let twin = channels.namespaces[..at].iter().any(|other| other.name == namespace.name);
        let key = format!("namespaces[{at}].name");
        wrong.unless(!twin, &key, "a name that no namespace before it has");
    }
}
