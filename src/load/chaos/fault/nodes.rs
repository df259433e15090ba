//! Nodes die, stand still, or are asked to go.

use std::{io, time::Duration};

use nix::sys::signal::Signal;

use super::{Remembered, Shown, lacks, until};
use crate::load::chaos::{
    field::{Field, Node, state},
    kind::Kind,
    plan::Act,
};

/// A failpoint behind a commit is hit by the next publish.
const HIT_WITHIN: Duration = Duration::from_secs(3);
/// The kernel stops a process as soon as it can.
const STOPS_WITHIN: Duration = Duration::from_secs(1);

pub(super) fn take(field: &mut Field, act: &Act, _: &mut Remembered) -> Shown {
    if act.kind == Kind::Nothing {
        return Ok(None);
    }
    let node = of(field, act)?;
    let pid = node.pid().ok_or_else(|| lacks("process of that node"))?;
    if let Some(point) = act.kind.failpoint() {
        return abort_at(node, pid, point);
    }
    match act.kind {
        Kind::NodePauseShort | Kind::NodePauseLong => {
            node.signal(Signal::SIGSTOP)?;
            let stopped = until(STOPS_WITHIN, || state(pid) == Some('T'));
            Ok(stopped.then(|| format!("process {pid} is in state T")))
        }
        Kind::NodeTerm => {
            node.signal(Signal::SIGTERM)?;
            Ok(None)
        }
        _ => {
            node.signal(Signal::SIGKILL)?;
            ended_by(node, pid, Signal::SIGKILL)
        }
    }
}

pub(super) fn heal(field: &mut Field, act: &Act) -> Shown {
    match act.kind {
        Kind::NodePauseShort | Kind::NodePauseLong => {
            let node = of(field, act)?;
            node.signal(Signal::SIGCONT)?;
            Ok(None)
        }
        Kind::NodeTerm => {
            let node = of(field, act)?;
            let pid = node.pid().unwrap_or(0);
            let (signal, code) = node.wait_until_ended()?;
            let well = signal == 0 && code == 0;
            Ok(well.then(|| format!("process {pid} ended by itself, with 0")))
        }
        // The dead are raised by whoever did the fault.
        _ => Ok(None),
    }
}

/// Lets the node abort at a place, and waits until it has.
fn abort_at(node: &mut Node, pid: u32, point: &str) -> Shown {
    if !node.arm(&format!("{point}=abort")) {
        return Ok(None);
    }
    match until(HIT_WITHIN, || node.ended().is_some()) {
        true => ended_by(node, pid, Signal::SIGABRT),
        // Not in the midst of something else.
        false => {
            node.arm(&format!("{point}=off"));
            Ok(None)
        }
    }
}

fn ended_by(node: &mut Node, pid: u32, signal: Signal) -> Shown {
    let (by, _) = node.wait_until_ended()?;
    Ok((by == signal as i32).then(|| format!("process {pid} was ended by {signal}")))
}

fn of<'a>(field: &'a mut Field, act: &Act) -> io::Result<&'a mut Node> {
    let number = act.node.unwrap_or(0);
    field.nodes.get_mut(usize::from(number)).ok_or_else(|| lacks("such node"))
}
