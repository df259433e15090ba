//! Which channels have members.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Api,
    method::{Outcome, read, written},
};

/// A channel with members.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize)]
pub struct ChannelInfo {
    pub num_clients: u32,
}

pub(super) async fn channels(api: &Api, body: &str) -> Outcome {
    #[derive(Deserialize)]
    struct Asked {
        #[serde(default)]
        pattern: String,
    }
    #[derive(Serialize)]
    struct Channels<'a> {
        channels: BTreeMap<&'a str, ChannelInfo>,
    }
    let asked: Asked = read(body)?;
    let pattern = Some(asked.pattern).filter(|pattern| !pattern.is_empty());
    let found = api.backend.channels(pattern).await?;
    let channels = found.iter().map(|(name, info)| (name.as_str(), *info));
    written(Channels { channels: channels.collect() })
}
