//! How many nodes, what they keep their messages in, and how clients reach them. Pure.

use std::path::PathBuf;

use crate::load::{
    Failure,
    args::{Args, Scenario, Store},
};

/// What is to be started.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Sets the names of this run apart from those of other runs.
    pub run: String,
    pub nodes: usize,
    pub journal: Store,
    /// A file of settings for the nodes.
    pub config: Option<PathBuf>,
    /// Whether users are subscribed to channels of their own, which is a room more for each of them.
    pub personal: bool,
    /// Clients come through NGINX; else to the nodes themselves, in turn.
    pub proxy: bool,
    /// Nodes have a Redis: several of them, and one that has all else of a cluster.
    pub redis: bool,
    /// A folder of data that is copied before the first start: a node's, or of a PostgreSQL server if that keeps it.
    pub seeded: Option<PathBuf>,
}

/// What all nodes of a run know.
#[derive(Clone)]
pub struct Secrets {
    /// Clients' tokens are signed with it.
    pub token: String,
    /// The key of the server API.
    pub api_key: String,
}

impl Plan {
    /// What the command line asks for.
    pub fn of(args: &Args, run: &str) -> Result<Self, Failure> {
        let nodes = args.nodes();
        let journal = args.journal.unwrap_or(match nodes {
            1 => Store::Sqlite,
            _ => Store::Postgres,
        });
        if nodes > 1 && journal == Store::Sqlite {
            return Err(Failure(
                "several nodes share a journal in PostgreSQL: leave out --journal sqlite".into(),
            ));
        }
        let proxy = match args.scenario {
            Scenario::Rooms | Scenario::Devices | Scenario::Storm | Scenario::Failover => nodes > 1,
            // Who publishes where, and who hears it where, is what they are about.
            _ => args.proxy || args.scenario == Scenario::Dashboard && nodes > 1,
        };
        Ok(Self {
            run: run.to_owned(),
            nodes,
            journal,
            config: args.node_config.clone(),
            personal: args.scenario == Scenario::Devices,
            proxy,
            redis: nodes > 1 || proxy && journal == Store::Postgres,
            seeded: None,
        })
    }

    /// Nodes for a person to try, behind NGINX.
    pub fn to_try(nodes: usize, config: Option<PathBuf>) -> Self {
        let run = "try".to_owned();
        let (journal, seeded) = (Store::Postgres, None);
        let (proxy, redis) = (true, nodes > 1);
        Self { run, nodes, journal, config, personal: false, proxy, redis, seeded }
    }

    /// The same with one node alone, which has the journal and nothing else.
    pub fn alone(&self) -> Self {
        let run = format!("{}-alone", self.run);
        Self { run, nodes: 1, proxy: false, redis: false, ..self.clone() }
    }
}

impl Secrets {
    /// Fresh ones.
    pub fn draw() -> Self {
        let [token, api_key] = [(); 2].map(|()| uuid::Uuid::new_v4().simple().to_string());
        Self { token, api_key }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    fn plan(line: &str) -> Result<Plan, Failure> {
        #[derive(Parser)]
        struct Line {
            #[command(flatten)]
            args: Args,
        }
        let words = std::iter::once("load").chain(line.split_whitespace());
        Plan::of(&Line::try_parse_from(words).unwrap().args, "test")
    }

    #[test]
    fn one_node_has_a_file_and_several_share_a_database() {
        for (line, nodes, journal, proxy, redis) in [
            ("rooms", 1, Store::Sqlite, false, false),
            ("publish --journal postgres", 1, Store::Postgres, false, false),
            ("rooms --nodes 3", 3, Store::Postgres, true, true),
            ("fanout --nodes 3", 3, Store::Postgres, false, true),
            ("idle --nodes 6", 6, Store::Postgres, false, true),
            ("failover", 3, Store::Postgres, true, true),
            ("dashboard", 1, Store::Sqlite, false, false),
            ("dashboard --proxy", 1, Store::Sqlite, true, false),
            ("dashboard --journal postgres --proxy", 1, Store::Postgres, true, true),
            ("dashboard --nodes 2", 2, Store::Postgres, true, true),
        ] {
            let plan = plan(line).unwrap();
            assert_eq!((plan.nodes, plan.journal), (nodes, journal), "{line}");
            assert_eq!((plan.proxy, plan.redis), (proxy, redis), "{line}");
            assert_eq!(plan.alone().nodes, 1);
        }
        assert!(plan("rooms --nodes 2 --journal sqlite").unwrap_err().0.contains("PostgreSQL"));
    }

    #[test]
    fn only_users_with_channels_of_their_own_get_them() {
        assert!(plan("devices --nodes 2").unwrap().personal);
        assert!(!plan("rooms --nodes 2").unwrap().personal);
    }
}
