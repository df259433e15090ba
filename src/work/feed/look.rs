//! One look at the feed: what was committed and said since the last, and where some rooms' channels stand.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use actix::{Addr, Message};

use super::Feed;
use crate::{
    ids::Channel,
    protocol::Position,
    realtime::{
        barred::{Bar, BarStore},
        journal::{Changes, Cursor, Journal, Unavailable},
    },
};

/// A look that takes longer has got stuck.
const DEADLINE: Duration = Duration::from_secs(5);

/// How much of a look may go into reading who is barred.
const BARS: Duration = Duration::from_secs(1);

/// How long a room's own commit has to tell it what the feed has, too: a notice that comes first costs a read of the
/// journal.
pub(super) const COMMIT_FIRST: Duration = Duration::from_millis(30);

/// The same for a bridge that is in doubt: it may carry all the same, as it does while nobody knows yet whether a node
/// that is silent has died.
pub(super) const DOUBTED_FIRST: Duration = Duration::from_millis(100);

/// The same for a bridge that is trusted, and as slow as it is on a busy day.
pub(super) const BRIDGE_FIRST: Duration = Duration::from_millis(200);

/// What a look is for.
pub(super) struct Question {
    pub cursor: Cursor,
    /// Rooms of these have to be compared with the journal.
    pub compare: Vec<Channel>,
    /// How long the other ways have to tell first.
    pub patience: Duration,
}

/// A look is over.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct Looked {
    pub number: u64,
    pub begun: Instant,
    pub seen: Result<Seen, Unavailable>,
}

/// What a look has brought.
pub(super) struct Seen {
    pub changes: Changes,
    /// Where the rooms that were to be compared should stand.
    pub compared: Vec<(Channel, Position)>,
    /// Who is barred, as of before the changes.
    pub bars: Option<Vec<Bar>>,
}

/// What is looked into.
pub(super) struct Stores {
    pub journal: Arc<dyn Journal>,
    /// Only if who is barred has to be read anew; with the present in Unix seconds.
    pub bars: Option<(Arc<dyn BarStore>, i64)>,
}

/// Outlives a restart of the actor.
pub(super) async fn look(stores: Stores, question: Question, number: u64, feed: Addr<Feed>) {
    let begun = Instant::now();
    let seen = match tokio::time::timeout(DEADLINE, see(stores, question)).await {
        Ok(seen) => seen,
        Err(_) => Err(Unavailable("the journal did not answer in time".into())),
    };
    #[allow(clippy::disallowed_methods, reason = "one look at a time")]
    feed.do_send(Looked { number, begun, seen });
}

async fn see(
    Stores { journal, bars }: Stores,
    Question { cursor, compare, patience }: Question,
) -> Result<Seen, Unavailable> {
    let bars = match bars {
        // Who can't be asked now is asked by the next look: rooms need not wait for that.
        Some((bars, now)) => match tokio::time::timeout(BARS, bars.load(now)).await {
            Ok(Ok(bars)) => Some(bars),
            Ok(Err(why)) => {
                log::warn!("{}", why.0);
                None
            }
            Err(_) => None,
        },
        None => None,
    };
    let changes = journal.changes(cursor).await?;
    let stand = match compare.is_empty() {
        true => Vec::new(),
        false => journal.heads(compare.clone()).await?,
    };
    if !changes.heads.is_empty() {
        tokio::time::sleep(patience).await;
    }
    Ok(Seen { changes, compared: compare.into_iter().zip(stand).collect(), bars })
}
