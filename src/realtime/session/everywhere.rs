//! What is done on all nodes: orders, and questions that every node answers.
//!
//! A node alone does what it is told at once. Where nodes share a journal an order is a note in its feed: each carries it
//! out as it reads it, and whoever gave it hears when all have. The words are JSON, read by nodes of two versions.

use std::{collections::BTreeMap, fmt};

use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::{act::Act, act::Deed, host::Node};
use crate::{
    ids::{Channel, ClientId, UserId},
    platform::glob::Glob,
    realtime::{barred::Bar, barred::Whom, peers::Peer},
};

mod written;

use written::WrittenDeed;

/// Something that every node does.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// To connections of a user.
    Act { user: String, client: Option<ClientId>, except: Vec<ClientId>, deed: WrittenDeed },
    /// Let somebody in no more.
    Bar(Bar),
    /// Let a user in again.
    Allow(String),
}

/// Channels with members, and how many.
pub type Channels = BTreeMap<String, u32>;

/// The other nodes, to whoever has something for all of them.
pub trait Everywhere: Send + Sync {
    /// Has every live node carry out an order, this one too; waits for it, at most 5 s.
    fn order(&self, order: Order) -> BoxFuture<'static, Result<(), Undone>>;

    /// What each other live node says of its channels; at most 5 s.
    fn channels(
        &self,
        pattern: Option<String>,
    ) -> BoxFuture<'static, Result<Vec<Channels>, Undone>>;

    /// The other nodes, as of their last beats.
    fn peers(&self) -> Vec<Peer>;
}

/// Why something was not done everywhere, as far as is known.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Undone {
    /// Too much of it waits already.
    Busy,
    /// It does not fit into a note.
    TooLong,
    /// It could not be noted, or nobody knows.
    NotNoted,
    /// So many of so many live nodes have not done it yet. They still will.
    Lagging { lagging: usize, of: usize },
    /// A node has more channels than fit into its answer.
    TooMany,
}

impl fmt::Display for Undone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Busy => f.write_str("too many such calls are under way; try again"),
            Self::TooLong => f.write_str("expected at most 64 KiB"),
            Self::NotNoted => {
                f.write_str("it could not be written into the journal, or nobody knows; try again")
            }
            Self::Lagging { lagging, of } => {
                write!(f, "{lagging} of {of} nodes have not done it in time")
            }
            Self::TooMany => f.write_str("a node has too many such channels: name a pattern"),
        }
    }
}

impl Order {
    /// An act as it is written down. None for one that is never ordered.
    pub fn act(user: &UserId, act: &Act) -> Option<Self> {
        Some(Self::Act {
            user: user.as_str().into(),
            client: act.client,
            except: act.except.iter().copied().collect(),
            deed: WrittenDeed::of(&act.deed)?,
        })
    }

    /// Does it on this node.
    pub fn carry_out(self, node: &Node) {
        match self {
            Self::Act { user, client, except, deed } => {
                let except = std::sync::Arc::new(except.into_iter().collect());
                let act = Act { client, except, deed: deed.into() };
                node.users.act(&UserId::new(&user), act);
            }
            Self::Bar(bar) => {
                let whom = bar.whom.clone();
                node.barred.put(bar, node.now());
                match whom {
                    Whom::User(user) | Whom::TokensBefore { user, .. } => {
                        node.users.act(&UserId::new(&user), recheck());
                    }
                    // Nobody keeps a book of who came with which token.
                    Whom::Token(_) => node.users.act_on_all(&recheck()),
                }
            }
            Self::Allow(user) => node.barred.allow(&user),
        }
    }
}

/// Everybody who is barred by now has to go.
pub fn recheck() -> Act {
    Act { client: None, except: std::sync::Arc::default(), deed: Deed::Recheck }
}

/// Channels of this node that have members and whose name fits.
pub async fn channels(node: &Node, pattern: Option<&str>) -> Channels {
    let pattern = pattern.map(Glob::new);
    let fits = |channel: &Channel| pattern.as_ref().is_none_or(|glob| glob.matches(channel));
    let mut found = Channels::new();
    for channel in node.house.channels().into_iter().filter(fits) {
        // A room that is too busy to say has members, too.
        let members = node.house.members(&channel).await.unwrap_or(1);
        if members > 0 {
            found.insert(channel.to_string(), members);
        }
    }
    found
}
