//! Settings of client connections: their deadlines, their limits and what they may do without a token.

use std::time::Duration;

use super::{
    kinds::{Size, show_duration},
    rate_limit::RateLimit,
    section::{Wrong, section},
    token::{SubscriptionToken, Token},
};

section! {
    /// Connections of clients.
    #[check(check_client)]
    pub struct Client {
        /// Origins of web pages that may connect, with `*` for any run of characters:
        /// `["https://example.com", "https://*.example.com"]`, or `["*"]` for all. Empty: only
        /// pages of this server's own host and of loopback. Programs that send no Origin always may.
        pub allowed_origins: Vec<String> = Vec::new(),
        /// For development: connects without a token and allows everything. Tokens that are
        /// brought are still verified, but never expire.
        pub insecure: bool = false,
        /// A ping goes to each client this often. Whole seconds, since clients are told so.
        pub ping_interval: Duration = Duration::from_secs(25),
        /// A client that has not answered a ping in this time is closed with 3012. Must be smaller
        /// than `ping_interval`.
        pub pong_timeout: Duration = Duration::from_secs(8),
        /// A connection that has not sent `connect` in this time is closed with 3502.
        pub stale_close_delay: Duration = Duration::from_secs(10),
        /// Time to bring a new token after the connection's has expired; then 3005.
        pub expired_close_delay: Duration = Duration::from_secs(25),
        /// Time to bring a new token after a subscription's has expired; then it ends with 2501.
        pub expired_sub_close_delay: Duration = Duration::from_secs(25),
        /// Bytes that may wait for one client; past it the client is closed with 3008 and recovers
        /// when it comes back.
        pub queue_max_size: Size = Size::mib(1),
        /// Bytes that may wait for all clients together. Past it, of those whose sockets take nothing,
        /// each that has more than an equal share of this is closed with 3008: the fullest first.
        pub queues_max_size: Size = Size::mib(512),
        /// A client that takes no byte for this long while some wait is closed with 3008. Long
        /// enough for a phone that stalls in a tunnel.
        pub write_stall: Duration = Duration::from_secs(10),
        /// Publishes of one connection that may be under way together. They are journalled and
        /// answered in the order sent.
        pub publish_window: usize = 8,
        /// A command that could not be done in this time is answered with 100. Clients give up
        /// after 5 s and connect again, so stay below.
        pub command_timeout: Duration = Duration::from_secs(4),
        /// Subscriptions of one connection, at most.
        pub channel_limit: usize = 128,
        /// Connections of one user at most, on all nodes together while there is Redis, on each node
        /// without. 0: any number. Past it: 3504, after which clients stay away; so only those count that
        /// have answered their last ping, on nodes that live. Connections without a user do not count.
        pub user_connection_limit: usize = 0,
        /// Connections in all, at most. 0: as many as the limit of open files leaves room for.
        /// Past it: HTTP 503.
        pub connection_limit: usize = 0,
        /// WebSocket handshakes that may be under way at once. Past it: HTTP 503.
        pub handshake_limit: usize = 1024,
        /// Publications in one answer to `history`, at most.
        pub history_max_publication_limit: usize = 300,
        /// Publications that a client may have missed and still recover.
        pub recovery_max_publication_limit: usize = 300,
        /// Bytes of publications that a client may have missed in a channel and still recover.
        pub recovery_max_size: Size = Size::kib(512),
        /// Bytes of recovered publications that may wait for all clients together. A subscribe
        /// that finds no room waits for `command_timeout`, then is told to come again.
        pub recovery_budget: Size = Size::mib(64),
        /// Lets clients in that bring no token, as an anonymous user.
        pub allow_anonymous_connect_without_token: bool = false,
        /// Refuses tokens whose `sub` is empty, with 3507.
        pub disallow_anonymous_connection_tokens: bool = false,
        /// Subscribes each user to a channel of their own when they connect.
        pub subscribe_to_user_personal_channel: PersonalChannel = PersonalChannel::default(),
        /// How often users and their devices may do what they do.
        pub rate_limit: RateLimit = RateLimit::default(),
        /// Keys that connection tokens are signed with.
        pub token: Token = Token::default(),
        /// Keys that subscription tokens are signed with, if other than those.
        pub subscription_token: SubscriptionToken = SubscriptionToken::default(),
    }
}

section! {
    /// The channel `#<user>` of each user.
    pub struct PersonalChannel {
        /// Whether to subscribe users to it.
        pub enabled: bool = false,
        /// The namespace that it lives in: `chat` makes it `chat:#<user>`. Empty: without one.
        pub personal_channel_namespace: String = String::new(),
    }
}

/// What the SDKs wait for an answer.
const SDK_TIMEOUT: Duration = Duration::from_secs(5);

fn check_client(client: &Client, wrong: &mut Wrong) {
    let ping = client.ping_interval;
    wrong.unless(
        ping >= Duration::from_secs(1) && ping.subsec_nanos() == 0,
        "ping_interval",
        "whole seconds, at least \"1s\"",
    );
    wrong.unless(
        !client.pong_timeout.is_zero() && client.pong_timeout < ping,
        "pong_timeout",
        format!("more than 0s and less than client.ping_interval ({})", show_duration(ping)),
    );
    let command_timeout = client.command_timeout;
    wrong.unless(
        !command_timeout.is_zero() && command_timeout < SDK_TIMEOUT,
        "command_timeout",
        "more than 0s and less than the 5s that clients wait",
    );
    for (key, delay) in
        [("stale_close_delay", client.stale_close_delay), ("write_stall", client.write_stall)]
    {
        wrong.unless(!delay.is_zero(), key, "more than 0s");
    }
    for (key, count) in [
        ("publish_window", client.publish_window),
        ("channel_limit", client.channel_limit),
        ("handshake_limit", client.handshake_limit),
        ("history_max_publication_limit", client.history_max_publication_limit),
        ("recovery_max_publication_limit", client.recovery_max_publication_limit),
    ] {
        wrong.unless(count > 0, key, "1 or more");
    }
    wrong.unless(client.queue_max_size >= Size::kib(64), "queue_max_size", "64KiB or more");
    wrong.unless(
        client.queues_max_size >= client.queue_max_size,
        "queues_max_size",
        format!("at least client.queue_max_size ({})", client.queue_max_size),
    );
    wrong.unless(
        client.recovery_max_size < client.queue_max_size,
        "recovery_max_size",
        format!("less than client.queue_max_size ({})", client.queue_max_size),
    );
    wrong.unless(
        client.recovery_budget >= client.recovery_max_size,
        "recovery_budget",
        format!("at least client.recovery_max_size ({})", client.recovery_max_size),
    );
    wrong.unless(
        client.allowed_origins.iter().all(|origin| !origin.trim().is_empty()),
        "allowed_origins",
        "patterns like \"https://*.example.com\", none of them empty",
    );
}
