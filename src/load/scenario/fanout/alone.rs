//! `fanout` with several nodes: what a delivery costs the node that is published on, against a node alone, which has
//! the same journal and no other to tell.

use std::rc::Rc;

use super::run_server;
use crate::load::{
    Failure,
    report::{Report, rounded},
    run::Run,
    servers::Servers,
    spawn::Cluster,
    swarm::{Manner, Swarm},
    target::{Access, Target},
};

/// Stops the nodes, does the same to one alone, and adds the comparison. The publisher is the first connection, so the
/// first node is the one that it publishes on.
pub(super) fn compare(run: &mut Run, report: Report, cpu: &[f64]) -> Result<Report, Failure> {
    let Some(cluster) = run.cluster.take() else { return Ok(report) };
    let (plan, nodes) = (cluster.plan.alone(), cluster.plan.nodes);
    run.swarm = Swarm::new(run.swarm.target.clone(), Manner::Client, run.clock, 1)?;
    cluster.stop()?;
    let cluster = Cluster::start(plan)?;
    let conditions = run.conditions.clone();
    let url = cluster.doors().first().map(|door| format!("ws://{door}/connection/websocket"));
    let target = Target::new(&Access {
        url: &url.unwrap_or_default(),
        secret: &cluster.secrets.token,
        api_key: &cluster.secrets.api_key,
        namespace: "",
        encoding: conditions.encoding,
        personal: false,
        run: &cluster.plan.run,
    })?;
    let members = conditions.connections;
    let swarm = Swarm::new(Rc::new(target), Manner::Client, run.clock, conditions.handshakes)?;
    let servers = Servers::new(&cluster.processes())?;
    let mut alone = Run::new(conditions, swarm, 1, run.clock, servers);
    alone.cluster = Some(cluster);
    let measured = run_server(&mut alone);
    run.cluster = alone.cluster.take();
    let (other, _) = measured?;
    let mut notes = report.notes.clone();
    let mine = report.delivered as f64 * members.div_ceil(nodes) as f64 / members as f64;
    let publishing = cpu.first().map(|seconds| seconds * 1e6 / mine.max(1.0));
    let single = other.server.as_ref().and_then(|server| server.cpu_us_per_delivery);
    let both = publishing.zip(single).filter(|_| other.verdict().is_clean());
    match both {
        Some((publishing, single)) => notes.push(format!(
            "a delivery costs the node that is published on {publishing:.2} us, a node alone {single:.2} us"
        )),
        None => notes.push("the node alone did not deliver everything: no ratio".into()),
    }
    Ok(Report {
        ratio: both.map(|(publishing, single)| rounded(publishing / single)),
        notes,
        ..report
    })
}
