//! Who is in a channel, and how many.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Api,
    method::{Failure, Outcome, read, written},
    words::Person,
};
use crate::ids::Channel;

pub(super) async fn presence(api: &Api, body: &str) -> Outcome {
    #[derive(Serialize)]
    struct Present<'a> {
        presence: BTreeMap<&'a str, Person<'a>>,
    }
    let present = api.backend.presence(channel(api, body)?).await?;
    let presence = present.iter().map(|(id, info)| (id.as_str(), Person::from(&**info)));
    written(Present { presence: presence.collect() })
}

pub(super) async fn presence_stats(api: &Api, body: &str) -> Outcome {
    #[derive(Serialize)]
    struct Stats {
        num_clients: u32,
        num_users: u32,
    }
    let (num_clients, num_users) = api.backend.presence_stats(channel(api, body)?).await?;
    written(Stats { num_clients, num_users })
}

/// The channel of a request that is about nothing else.
pub(super) fn channel(api: &Api, body: &str) -> Result<Channel, Failure> {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        channel: String,
    }
    let asked: Asked = read(body)?;
    api.channel(&asked.channel)
}
