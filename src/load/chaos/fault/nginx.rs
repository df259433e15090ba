//! NGINX reads its file again, or dies.

use std::{fs, io, time::Duration};

use nix::sys::signal::{Signal, kill};

use super::{Remembered, Shown, lacks, until};
use crate::{
    load::chaos::{field::Field, kind::Kind},
    platform::scratch::Nginx,
};

/// New workers are there long before.
const RELOADS_WITHIN: Duration = Duration::from_secs(5);

pub(super) fn prepare(field: &mut Field, remembered: &mut Remembered) -> io::Result<()> {
    remembered.before = processes(of(field)?)?;
    Ok(())
}

pub(super) fn take(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    let nginx = of(field)?;
    if kind == Kind::NginxKill {
        nginx.kill()?;
        return Ok(None);
    }
    kill(nginx.pid()?, Signal::SIGHUP)?;
    let known = remembered.before.clone();
    let is_new = |now: &str| now.split(' ').skip(1).any(|pid| !known.split(' ').any(|k| k == pid));
    let reloaded = until(RELOADS_WITHIN, || processes(nginx).is_ok_and(|now| is_new(&now)));
    Ok(if reloaded {
        Some(format!("processes {}, before {known}", processes(nginx)?))
    } else {
        None
    })
}

pub(super) fn heal(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    if kind != Kind::NginxKill {
        return Ok(None);
    }
    let nginx = of(field)?;
    nginx.restart()?;
    let (before, now) = (&remembered.before, processes(nginx)?);
    Ok((now != *before).then(|| format!("processes {now}, before {before}")))
}

/// The master and its workers, parted by spaces.
fn processes(nginx: &Nginx) -> io::Result<String> {
    let pid = nginx.pid()?;
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    Ok(format!("{pid} {}", children.trim()))
}

fn of(field: &mut Field) -> io::Result<&mut Nginx> {
    field.nginx.as_mut().ok_or_else(|| lacks("NGINX"))
}
