//! What a channel's name says: its namespace, what is kept there, and who may do what. Pure.
//!
//! `chat:room-1` lives in the namespace `chat`; `$chat:room-1` needs a subscription token;
//! `chat:talk#ana,bo` is for Ana and Bo. The marks are settings (`channel.*`).

use std::{collections::HashMap, ops::Deref, sync::Arc, time::Duration};

use super::journal::{Retention, RetentionOf};
use crate::{
    ids::{Channel, UserId},
    platform::settings,
    protocol::Refusal,
};

#[cfg(test)]
mod tests;

/// The namespace in which people are told what fired. It need not be configured.
pub const ALERTS: &str = "alerts";
/// The namespace of what tokens cost, `prices:<token id>`. It need not be configured.
pub const PRICES: &str = "prices";

/// The namespace of what people's own dashboards show, `dashboard:#<user>`. It need not be configured.
pub const DASHBOARD: &str = "dashboard";

/// All namespaces of a node.
#[derive(Debug)]
pub struct Namespaces {
    rules: Rules,
    without: Arc<Namespace>,
    named: HashMap<String, Arc<Namespace>>,
    /// The namespace of personal channels ("" for none), if users are subscribed to theirs.
    personal: Option<String>,
}

/// One namespace; its options are read through it.
#[derive(Clone, Debug)]
pub struct Namespace {
    /// Empty for channels without one.
    pub name: String,
    /// As configured.
    pub options: settings::Namespace,
}

/// How a channel's history is kept.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Storage {
    /// Not at all: publications have no offset.
    None,
    /// In memory, for as long as the node runs.
    Memory,
    /// In the journal: acknowledged after commit.
    Durable,
}

/// Who asks to do something in a channel.
#[derive(Clone, Copy, Debug)]
pub struct Asker<'a> {
    /// The user of the connection, maybe anonymous.
    pub user: &'a UserId,
    /// Whether the connection is subscribed to the channel.
    pub is_subscriber: bool,
    /// Whether `client.insecure` lets everybody do everything.
    pub insecure: bool,
}

/// The characters with a meaning.
#[derive(Debug)]
struct Rules {
    max_length: usize,
    private_prefix: String,
    namespace_boundary: String,
    user_boundary: String,
    user_separator: String,
}

impl Namespaces {
    /// Takes them over from the settings.
    pub fn new(channels: &settings::Channels, personal: &settings::PersonalChannel) -> Self {
        let namespace = |name: &str, options: &settings::Namespace| {
            Arc::new(Namespace { name: name.into(), options: options.clone() })
        };
        let built_in = [
            (ALERTS, settings::Namespace::alerts()),
            (PRICES, settings::Namespace::prices()),
            (DASHBOARD, settings::Namespace::dashboard()),
        ];
        let built_in = built_in.map(|(name, options)| (name.to_owned(), namespace(name, &options)));
        let named = channels.namespaces.iter();
        let named = named.map(|n| (n.name.clone(), namespace(&n.name, &n.options)));
        Self {
            rules: Rules {
                max_length: channels.max_length,
                private_prefix: channels.private_prefix.clone(),
                namespace_boundary: channels.namespace_boundary.clone(),
                user_boundary: channels.user_boundary.clone(),
                user_separator: channels.user_separator.clone(),
            },
            without: namespace("", &channels.without_namespace),
            named: built_in.into_iter().chain(named).collect(),
            personal: personal.enabled.then(|| personal.personal_channel_namespace.clone()),
        }
    }

    /// Reads a channel's name as a client wrote it; 107 says what is wrong with it.
    pub fn channel(&self, name: &str) -> Result<Channel, Refusal> {
        Channel::parse(name, self.rules.max_length).map_err(|bad| Refusal::BAD_REQUEST.because(bad))
    }

    /// The namespace of a channel; 102 if it is not configured.
    pub fn resolve(&self, channel: &Channel) -> Result<Arc<Namespace>, Refusal> {
        let Some(name) = self.rules.namespace_of(channel) else { return Ok(self.without.clone()) };
        self.named.get(name).cloned().ok_or_else(|| {
            Refusal::UNKNOWN_CHANNEL.because(format_args!(
                "there is no namespace {name:?}: add it to channel.namespaces"
            ))
        })
    }

    /// Whether to let somebody subscribe by name alone, or with a token that was found good.
    ///
    /// Whether the token names this channel, user and client is for its verifier.
    pub fn may_subscribe(
        &self,
        channel: &Channel,
        asker: Asker<'_>,
        has_token: bool,
    ) -> Result<Arc<Namespace>, Refusal> {
        let namespace = self.resolve(channel)?;
        let denied = if has_token {
            None
        } else if self.rules.is_private(channel) {
            Some("this channel needs a subscription token")
        } else if self.rules.is_user_limited(channel) {
            let named =
                namespace.allow_user_limited_channels && self.rules.names_user(channel, asker.user);
            (!named && !asker.insecure).then_some("this channel is for the users in its name")
        } else {
            let open = namespace.allow_subscribe_for_client
                && (!asker.user.is_anonymous() || namespace.allow_subscribe_for_anonymous);
            (!open && !asker.insecure)
                .then_some("needs a subscription token or allow_subscribe_for_client")
        };
        denied.map_or(Ok(namespace), |why| Err(Refusal::PERMISSION_DENIED.because(why)))
    }

    /// Whether a client may publish into a channel.
    pub fn may_publish(
        &self,
        channel: &Channel,
        asker: Asker<'_>,
    ) -> Result<Arc<Namespace>, Refusal> {
        let namespace = self.resolve(channel)?;
        let allowed = Allowed {
            what: "publish",
            subscriber: namespace.allow_publish_for_subscriber,
            client: namespace.allow_publish_for_client,
            anonymous: namespace.allow_publish_for_anonymous,
        };
        allowed.to(asker).map(|()| namespace)
    }

    /// Whether a client may read a channel's history; 108 if there is none.
    pub fn may_history(
        &self,
        channel: &Channel,
        asker: Asker<'_>,
    ) -> Result<Arc<Namespace>, Refusal> {
        let namespace = self.resolve(channel)?;
        if !namespace.has_history() {
            return Err(Refusal::NOT_AVAILABLE.because("this channel has no history"));
        }
        let allowed = Allowed {
            what: "history",
            subscriber: namespace.allow_history_for_subscriber,
            client: namespace.allow_history_for_client,
            anonymous: namespace.allow_history_for_anonymous,
        };
        self.inside(allowed, &namespace, channel, asker).to(asker).map(|()| namespace)
    }

    /// Whether a client may see who is in a channel; 108 if that is not kept.
    pub fn may_presence(
        &self,
        channel: &Channel,
        asker: Asker<'_>,
    ) -> Result<Arc<Namespace>, Refusal> {
        let namespace = self.resolve(channel)?;
        if !namespace.presence {
            return Err(Refusal::NOT_AVAILABLE.because("this channel keeps no presence"));
        }
        let allowed = Allowed {
            what: "presence",
            subscriber: namespace.allow_presence_for_subscriber,
            client: namespace.allow_presence_for_client,
            anonymous: namespace.allow_presence_for_anonymous,
        };
        self.inside(allowed, &namespace, channel, asker).to(asker).map(|()| namespace)
    }

    /// What is for every user stays with the subscribers in a channel that not every user may enter.
    ///
    /// Else whoever may not subscribe to `$plans` or `#ana` could read along by asking for history.
    fn inside(
        &self,
        allowed: Allowed,
        namespace: &Namespace,
        channel: &Channel,
        asker: Asker<'_>,
    ) -> Allowed {
        let closed = self.rules.is_private(channel)
            || self.rules.is_user_limited(channel)
                && !(namespace.allow_user_limited_channels
                    && self.rules.names_user(channel, asker.user));
        Allowed {
            subscriber: allowed.subscriber || closed && allowed.client,
            client: allowed.client && !closed,
            ..allowed
        }
    }

    /// The name of a channel without that of its namespace.
    pub fn within<'a>(&self, channel: &'a Channel) -> &'a str {
        let name = channel.as_str();
        name.split_once(self.rules.namespace_boundary.as_str()).map_or(name, |(_, within)| within)
    }

    /// The one user whose channel it is; none if it is for several, or for whoever may.
    pub fn user_of(&self, channel: &Channel) -> Option<UserId> {
        let (_, user) = channel.as_str().rsplit_once(self.rules.user_boundary.as_str())?;
        let is_one = !user.is_empty() && !user.contains(self.rules.user_separator.as_str());
        is_one.then(|| UserId::new(user))
    }

    /// How much the journal keeps of a channel.
    ///
    /// Of a namespace that is no longer configured it keeps all: a typo in the settings must not
    /// erase what people said, and nobody can write there meanwhile.
    pub fn retention(&self, channel: &Channel) -> Retention {
        match self.resolve(channel) {
            Ok(namespace) => namespace.retention(),
            Err(_) => Retention { size: u64::MAX, ttl: Duration::MAX, meta_ttl: Duration::MAX },
        }
    }

    /// [`Namespaces::retention`] for a journal.
    pub fn retention_of(self: &Arc<Self>) -> RetentionOf {
        let namespaces = self.clone();
        Arc::new(move |channel| namespaces.retention(channel))
    }

    /// The channel that a user is subscribed to on connecting; none if that is off, or for an
    /// anonymous user.
    ///
    /// 107 for a user whose id can't stand in a channel's name alone: in `#a,b` it would be two.
    pub fn personal_channel(&self, user: &UserId) -> Result<Option<Channel>, Refusal> {
        let Some(namespace) = &self.personal else { return Ok(None) };
        if user.is_anonymous() {
            return Ok(None);
        }
        self.channel_of(namespace, user).map(Some)
    }

    /// The channel of a namespace ("" for none) that is for one user alone; 107 as above.
    pub fn channel_of(&self, namespace: &str, user: &UserId) -> Result<Channel, Refusal> {
        let rules = &self.rules;
        for mark in [&rules.user_boundary, &rules.user_separator] {
            if user.as_str().contains(mark.as_str()) {
                return Err(Refusal::BAD_REQUEST.because(format_args!(
                    "a user with a personal channel can't have {mark:?} in its id"
                )));
            }
        }
        let (boundary, mark) = (&rules.namespace_boundary, &rules.user_boundary);
        let boundary = if namespace.is_empty() { "" } else { boundary };
        self.channel(&format!("{namespace}{boundary}{mark}{user}"))
    }
}

/// Who may do one thing.
struct Allowed {
    what: &'static str,
    subscriber: bool,
    client: bool,
    anonymous: bool,
}

impl Allowed {
    fn to(&self, asker: Asker<'_>) -> Result<(), Refusal> {
        let by_place = self.client || self.subscriber && asker.is_subscriber;
        let by_name = self.anonymous || !asker.user.is_anonymous();
        if asker.insecure || by_place && by_name {
            return Ok(());
        }
        let what = self.what;
        Err(Refusal::PERMISSION_DENIED.because(match (self.subscriber, by_place) {
            (_, true) => format!("{what} needs a user, or allow_{what}_for_anonymous"),
            (true, false) => format!("{what} is for subscribers: subscribe first"),
            (false, false) => {
                format!("{what} needs allow_{what}_for_subscriber or allow_{what}_for_client")
            }
        }))
    }
}

impl Rules {
    /// Cuts the private prefix off.
    fn bare<'a>(&self, channel: &'a str) -> &'a str {
        channel.strip_prefix(&self.private_prefix).unwrap_or(channel)
    }

    fn namespace_of<'a>(&self, channel: &'a str) -> Option<&'a str> {
        self.bare(channel).split_once(&self.namespace_boundary).map(|(name, _)| name)
    }

    fn is_private(&self, channel: &str) -> bool {
        channel.starts_with(&self.private_prefix)
    }

    fn is_user_limited(&self, channel: &str) -> bool {
        channel.contains(&self.user_boundary)
    }

    fn names_user(&self, channel: &str, user: &UserId) -> bool {
        let users = channel.rsplit_once(&self.user_boundary).map(|(_, users)| users);
        !user.is_anonymous()
            && users.is_some_and(|users| {
                users.split(self.user_separator.as_str()).any(|named| named == user.as_str())
            })
    }
}

impl Namespace {
    /// Where its history is.
    pub fn storage(&self) -> Storage {
        match (self.has_history(), self.durable) {
            (false, _) => Storage::None,
            (true, false) => Storage::Memory,
            (true, true) => Storage::Durable,
        }
    }

    /// How much of it is kept.
    pub fn retention(&self) -> Retention {
        Retention {
            size: self.history_size,
            ttl: self.history_ttl,
            meta_ttl: self.history_meta_ttl,
        }
    }
}

impl Deref for Namespace {
    type Target = settings::Namespace;
    fn deref(&self) -> &settings::Namespace {
        &self.options
    }
}
