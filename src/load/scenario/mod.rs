//! The scenarios: what each does to a server and which figures it reports.

mod crowd;
mod devices;
mod failover;
mod fanout;
mod idle;
mod publish;
mod redis_down;
mod rooms;
mod storm;

pub use crowd::{crowd, part_of_a_crowd};

use super::{
    Failure,
    args::{Fault, Scenario},
    conditions::Conditions,
    connection::Member,
    report::Report,
    run::Run,
    swarm::Manner,
};

/// How many rooms a scenario has.
pub fn rooms(conditions: &Conditions) -> usize {
    match conditions.scenario {
        Scenario::Fanout
        | Scenario::Chaos
        | Scenario::Dashboard
        | Scenario::Constant
        | Scenario::BareWrite => 1,
        Scenario::Devices => conditions.users,
        Scenario::Publish => conditions.publishers,
        Scenario::Idle
        | Scenario::IdlePart
        | Scenario::Rooms
        | Scenario::Failover
        | Scenario::Storm => conditions.rooms(),
    }
}

/// How its connections come in.
pub fn manner(scenario: Scenario) -> Manner {
    match scenario {
        Scenario::Devices => Manner::Personal,
        _ => Manner::Client,
    }
}

/// How many connections it opens.
pub fn connections(conditions: &Conditions) -> usize {
    match conditions.scenario {
        Scenario::Publish => conditions.connections + conditions.publishers,
        Scenario::Storm => conditions.connections + storm::publishers(conditions),
        _ => conditions.connections,
    }
}

/// Does it.
pub fn run(run: &mut Run) -> Result<Report, Failure> {
    match run.conditions.scenario {
        Scenario::Idle | Scenario::IdlePart => idle::run(run),
        // Those that have a run of their own never come here.
        Scenario::Fanout
        | Scenario::Chaos
        | Scenario::Dashboard
        | Scenario::Constant
        | Scenario::BareWrite => fanout::run(run),
        Scenario::Rooms => match run.conditions.fault {
            Some(Fault::RedisDown) => redis_down::run(run),
            None => rooms::run(run),
        },
        Scenario::Failover => failover::run(run),
        Scenario::Devices => devices::run(run),
        Scenario::Publish => publish::run(run),
        Scenario::Storm => storm::run(run),
    }
}

/// Fills rooms of the asked size, each connection its own user.
fn fill_rooms(run: &mut Run) {
    for who in 0..run.conditions.connections {
        run.swarm.add(Member { user: who, room: Some(who / run.conditions.room_size) });
    }
}

#[cfg(test)]
mod tests;
