//! `fanout`: one big room. What does a delivery cost the server, against a bare loop of writes to as many sockets?

use std::{io::Write, net::SocketAddr, rc::Rc, sync::Arc, time::Duration};

use crate::{
    ids::Channel,
    load::{
        Failure,
        bare::{self, BareWriter},
        clock::nanos,
        connection::Member,
        frame,
        process::Process,
        publishing::{Drive, Publisher, Publishing, Until},
        report::{Report, rounded},
        run::Run,
        servers::Servers,
        swarm::{Manner, Swarm},
        target::Target,
        words,
    },
    protocol::{
        ClientInfo, Encoding, Payload, Publication, Push,
        push::{Event, Form},
    },
};

mod alone;

/// The bare loop needs no longer to show its cost.
const BARE: Duration = Duration::from_secs(10);

pub fn run(run: &mut Run) -> Result<Report, Failure> {
    let (report, cpu_seconds) = run_server(run)?;
    if run.cluster.as_ref().is_some_and(|cluster| cluster.plan.nodes > 1) {
        return alone::compare(run, report, &cpu_seconds);
    }
    let connections = run.conditions.connections;
    run.swarm = Swarm::new(run.swarm.target.clone(), Manner::Bare, run.clock, 1)?;
    let mut writer = BareWriter::start(connections)?;
    let (address, process) = (writer.address, writer.process());
    let (us, kept) = run_bare(run, address, process, &mut writer.input)?;
    Ok(compare(report, us, kept))
}

/// Adds what the bare loop cost. If it did not deliver to all, the comparison is void and the run has failed.
fn compare(report: Report, bare_us: f64, bare_kept: bool) -> Report {
    let server = report.server.as_ref().and_then(|server| server.cpu_us_per_delivery);
    let mut notes = report.notes;
    if !bare_kept {
        notes.push("the bare loop's own deliveries were not whole: no ratio".into());
    }
    Report {
        bare_write_us_per_delivery: bare_kept.then(|| rounded(bare_us)),
        ratio: server.filter(|_| bare_kept).map(|server| rounded(server / bare_us)),
        notes,
        ..report
    }
}

/// The server's part: the next message goes out when the last one has reached everybody, as in the bare loop.
///
/// Also the processor time of each of its processes, in seconds.
pub(super) fn run_server(run: &mut Run) -> Result<(Report, Vec<f64>), Failure> {
    let conditions = run.conditions.clone();
    for user in 0..conditions.connections {
        run.swarm.add(Member { user, room: Some(0) });
    }
    run.bring_in()?;
    let publishers = conditions.publishers.min(conditions.connections);
    let publishers = (0..publishers).map(|who| Publisher::new(who, vec![0], None)).collect();
    let drive = Drive {
        rate: conditions.rate,
        window: conditions.window,
        until: Until::Delivered,
        size: conditions.payload,
    };
    let publishing = Publishing::new(publishers, drive, run.clock.now());
    let from = run.mark()?;
    run.publish(publishing, Some(Duration::from_secs(conditions.seconds)))?;
    let to = run.mark()?;
    run.drain()?;
    let cost = run.mark()?;
    let each = cost.cpu_seconds.iter().zip(&from.cpu_seconds).map(|(after, before)| after - before);
    let each = each.collect();
    Ok((run.report(&from, &to, &cost)?, each))
}

/// The bare part, over a swarm of its own; returns its processor time a delivery in microseconds, and whether all came.
pub(super) fn run_bare(
    run: &Run,
    address: SocketAddr,
    process: Process,
    input: &mut impl Write,
) -> Result<(f64, bool), Failure> {
    let conditions = run.conditions.clone();
    let target = Rc::new(run.swarm.target.at(address));
    let swarm = Swarm::new(target.clone(), Manner::Bare, run.clock, conditions.handshakes)?;
    let mut bare = Run::new(conditions, swarm, 1, run.clock, Servers::new(&[process])?);
    for user in 0..bare.conditions.connections {
        bare.swarm.add(Member { user, room: Some(0) });
    }
    bare.bring_in()?;
    bare.show("bare writes", 0);
    let from = bare.mark()?;
    let time = nanos(BARE.min(Duration::from_secs(bare.conditions.seconds)));
    while bare.clock.now() - from.at < time {
        if bare.tally.checker.under_way(0) < bare.conditions.window {
            let now = bare.clock.now();
            let (number, json) = bare.tally.message(0, 0, bare.conditions.payload, now);
            let frame = push_frame(&target, number, json)?;
            bare::send(input, &frame)
                .map_err(|e| Failure(format!("the bare write loop is gone: {e}")))?;
            bare.tally.acknowledge(0, number, 0);
        }
        bare.turn(50_000_000)?;
    }
    bare.drain()?;
    let to = bare.mark()?;
    let (before, after): (f64, f64) = (from.cpu_seconds.iter().sum(), to.cpu_seconds.iter().sum());
    let delivered = (to.delivered - from.delivered).max(1);
    let kept = bare.tally.checker.verdict().is_clean();
    Ok(((after - before) * 1e6 / delivered as f64, kept))
}

/// The frame that a server would write: the same fields, so the same bytes to carry.
fn push_frame(target: &Target, number: u32, json: bytes::Bytes) -> Result<Vec<u8>, Failure> {
    let info = ClientInfo {
        user: target.user(0),
        client: "00000000-0000-4000-8000-000000000000".into(),
        ..ClientInfo::default()
    };
    let publication = Publication {
        data: Payload::json(json),
        info: Some(Arc::new(info)),
        offset: u64::from(number),
        ..Publication::default()
    };
    let event =
        Event::Publication { publication: Arc::new(publication), epoch: None, form: Form::Plain };
    let push = Push { channel: Channel::trusted(&target.channel(0)), event };
    let encoding: Encoding = target.encoding;
    let payload =
        encoding.push(&push).map_err(|e| Failure(format!("can't write a push: {e:?}")))?;
    let mut out = Vec::new();
    frame::write_bare(words::opcode(encoding), &payload, &mut out);
    Ok(out)
}
