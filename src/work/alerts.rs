//! Alerts on their way to their people: into the journal, within the transaction that found them out.

use std::sync::Arc;

use diesel::{QueryResult, result::Error};
use futures_util::future::BoxFuture;

use crate::{
    domain::{
        portfolio::alert::Alert,
        store::{Open, Outbox, Told},
    },
    ids::{Channel, UserId},
    protocol::{Payload, Publication},
    realtime::{
        bridge::Arrived,
        journal::{Append, Appended, postgres::append_alongside, sqlite::Alongside},
        namespace::{ALERTS, Namespaces, Storage},
        room::house::House,
    },
};

/// Tells people in their channels, `alerts:#ana`.
pub struct AlertPost {
    pub namespaces: Arc<Namespaces>,
    pub house: Arc<House>,
    /// If the journal is in a file.
    pub file: Option<Alongside>,
}

impl AlertPost {
    /// None: that person has no channel in which it would be kept; it is among what fired, no less.
    fn append(&self, user: &UserId, alert: &Alert) -> Option<Append> {
        let channel = self.namespaces.channel_of(ALERTS, user).ok()?;
        let namespace = self.namespaces.resolve(&channel).ok()?;
        if namespace.storage() != Storage::Durable {
            return None;
        }
        let publication = Publication {
            data: Payload::json(serde_json::to_vec(alert).ok()?.into()),
            info: None,
            offset: 0,
            tags: Default::default(),
            delta: namespace.delta_publish,
        };
        Some(Append { channel, publication: Arc::new(publication), key: None, version: None })
    }
}

impl Outbox for AlertPost {
    fn say<'a>(
        &'a self,
        on: Open<'a>,
        alerts: &'a [(UserId, Alert)],
    ) -> BoxFuture<'a, QueryResult<Told>> {
        Box::pin(async move {
            let appends: Vec<Append> =
                alerts.iter().filter_map(|(user, alert)| self.append(user, alert)).collect();
            let channels: Vec<Channel> =
                appends.iter().map(|append| append.channel.clone()).collect();
            let appended = match (on, &self.file) {
                _ if appends.is_empty() => Vec::new(),
                (Open::Sqlite(connection), Some(file)) => file.append(connection, appends)?,
                (Open::Postgres(connection), _) => append_alongside(connection, appends).await?,
                // Nothing that is stored in a file has its journal elsewhere.
                (Open::Sqlite(_), None) => return Err(Error::NotInTransaction),
            };
            let house = self.house.clone();
            let told = move || {
                for (channel, appended) in channels.iter().zip(appended) {
                    if let Appended::New(at) = appended {
                        house.arrived(channel, Arrived::Committed(at, None));
                    }
                }
                // Other nodes find it in the feed; most of them now.
                if let Some(bridge) = house.bridge() {
                    bridge.nudge();
                }
            };
            Ok(Box::new(told) as Told)
        })
    }
}
