//! What a run is made of: the command line's numbers, or else the conditions under which the figures are stated.

use std::time::Duration;

use super::args::{Args, Fault, Scenario, Words};
use crate::protocol::Encoding;

/// The numbers of a run, all decided.
#[derive(Clone, PartialEq, Debug)]
pub struct Conditions {
    pub scenario: Scenario,
    /// Members of rooms (`devices`: users times devices).
    pub connections: usize,
    pub room_size: usize,
    pub users: usize,
    pub devices: usize,
    /// Publishes a second in all; none: as fast as the window lets.
    pub rate: Option<f64>,
    /// Bytes of a message.
    pub payload: usize,
    pub publishers: usize,
    /// Publishes of one publisher under way at a time.
    pub window: usize,
    pub seconds: u64,
    /// Messages that each connection misses in `storm`.
    pub missed: usize,
    /// Connections that may be on their way in at a time.
    pub handshakes: usize,
    pub encoding: Encoding,
    /// Nodes that were started.
    pub nodes: usize,
    /// What breaks in the measured part.
    pub fault: Option<Fault>,
    /// When nothing at all has happened for so long, nothing more will.
    pub patience: Duration,
}

/// Where a scenario differs from [`COMMON`].
struct Defaults {
    connections: usize,
    payload: usize,
    window: usize,
    seconds: u64,
    rate: Option<f64>,
}

const COMMON: Defaults =
    Defaults { connections: 15_000, payload: 200, window: 8, seconds: 30, rate: None };

impl Conditions {
    /// Fills in what the command line leaves open.
    pub fn of(args: &Args) -> Self {
        let nodes = args.nodes();
        let several = nodes > 1;
        let defaults = match args.scenario {
            Scenario::Idle if several => Defaults { connections: 100_000, ..COMMON },
            // 10,000 deliveries a second.
            Scenario::Fanout if several => {
                Defaults { connections: 1000, window: 1, seconds: 20, rate: Some(10.0), ..COMMON }
            }
            Scenario::Rooms | Scenario::Failover if several => Defaults {
                connections: if args.scenario == Scenario::Rooms { 3000 } else { 3000 * nodes },
                window: 1,
                rate: Some(100.0),
                ..COMMON
            },
            Scenario::Idle => Defaults { payload: 4096, window: 4, ..COMMON },
            Scenario::Fanout => Defaults { connections: 10_000, window: 1, seconds: 20, ..COMMON },
            // In rooms of a hundred: a little over 100,000 deliveries a second.
            Scenario::Rooms => Defaults { window: 1, rate: Some(1020.0), ..COMMON },
            Scenario::Devices => Defaults { rate: Some(1000.0), ..COMMON },
            Scenario::Publish => Defaults { connections: 64, seconds: 20, ..COMMON },
            Scenario::Failover
            | Scenario::Storm
            | Scenario::Chaos
            | Scenario::IdlePart
            | Scenario::Dashboard
            | Scenario::Constant
            | Scenario::BareWrite => COMMON,
        };
        let or = |asked: Option<u32>, default: usize| asked.map_or(default, |n| n as usize);
        let users = or(args.users, 1500);
        let devices = or(args.devices, 10);
        let connections = or(args.connections, defaults.connections);
        let room_size = or(args.room_size, 100).min(connections);
        let (connections, publishers) = match args.scenario {
            Scenario::Devices => (users * devices, 16),
            Scenario::Fanout => (connections, 1),
            Scenario::Rooms | Scenario::Failover => (connections, connections.div_ceil(room_size)),
            // One subscriber for each publisher's room.
            Scenario::Publish => {
                let rooms = or(args.publishers.or(args.connections), 64);
                (rooms, rooms)
            }
            _ => (connections, 64),
        };
        Self {
            scenario: args.scenario,
            connections,
            room_size,
            users,
            devices,
            rate: args.rate.or(defaults.rate).filter(|rate| rate.is_finite()),
            payload: or(args.payload, defaults.payload),
            publishers: or(args.publishers, publishers),
            window: or(args.window, defaults.window),
            seconds: args.seconds.map_or(defaults.seconds, u64::from),
            missed: or(args.missed, 20),
            handshakes: args.handshakes as usize,
            encoding: match args.encoding {
                Words::Json => Encoding::Json,
                Words::Protobuf => Encoding::Protobuf,
            },
            nodes,
            fault: args.fault,
            patience: Duration::from_secs(20),
        }
    }

    /// How many rooms of `room_size` hold all connections; the last may be smaller.
    pub fn rooms(&self) -> usize {
        self.connections.div_ceil(self.room_size)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn conditions(line: &str) -> Conditions {
        let words = std::iter::once("load").chain(line.split_whitespace());
        Conditions::of(&Line::try_parse_from(words).unwrap().args)
    }

    #[test]
    fn defaults_are_the_conditions_of_the_figures() {
        let idle = conditions("idle");
        assert_eq!(
            (idle.connections, idle.room_size, idle.payload, idle.seconds),
            (15_000, 100, 4096, 30)
        );
        let fanout = conditions("fanout");
        assert_eq!((fanout.connections, fanout.payload, fanout.publishers), (10_000, 200, 1));
        let rooms = conditions("rooms");
        assert_eq!(
            (rooms.connections, rooms.rooms(), rooms.publishers, rooms.seconds, rooms.rate),
            (15_000, 150, 150, 30, Some(1020.0))
        );
        assert_eq!(conditions("rooms --rate max").rate, None);
        let devices = conditions("devices");
        assert_eq!(
            (devices.connections, devices.users, devices.rate),
            (15_000, 1500, Some(1000.0))
        );
        let publish = conditions("publish");
        assert_eq!((publish.publishers, publish.connections, publish.window), (64, 64, 8));
        let storm = conditions("storm");
        assert_eq!((storm.connections, storm.missed), (15_000, 20));
        let fanout = conditions("fanout --nodes 3");
        assert_eq!((fanout.connections, fanout.rate, fanout.window), (1000, Some(10.0), 1));
        let rooms = conditions("rooms --nodes 3");
        assert_eq!((rooms.connections, rooms.rate, rooms.seconds), (3000, Some(100.0), 30));
        assert_eq!((conditions("failover").connections, conditions("failover").nodes), (9000, 3));
        assert_eq!(conditions("idle --nodes 6").connections, 100_000);
    }

    #[test]
    fn what_is_asked_for_goes_before_the_defaults() {
        let asked = conditions(
            "rooms --connections 50 --room-size 20 --rate 7.5 --encoding protobuf --window 3",
        );
        assert_eq!((asked.connections, asked.rooms(), asked.publishers), (50, 3, 3));
        assert_eq!((asked.rate, asked.window, asked.encoding), (Some(7.5), 3, Encoding::Protobuf));
        assert_eq!(conditions("publish --publishers 4").connections, 4);
        assert_eq!(conditions("devices --users 3 --devices 2").connections, 6);
        assert_eq!(conditions("rooms --connections 5").room_size, 5);
    }

    #[test]
    fn senseless_options_are_refused() {
        for line in [
            "",
            "dance",
            "rooms --rate 0",
            "rooms --payload 70000",
            "rooms --connections 0",
            "rooms --url x --spawn",
            "rooms --url x --nodes 2",
            "rooms --url x --journal postgres",
            "rooms --fault redis-down",
            "rooms --secret s",
        ] {
            let words = std::iter::once("load").chain(line.split_whitespace());
            assert!(Line::try_parse_from(words).is_err(), "{line}");
        }
    }
}
