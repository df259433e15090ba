//! Redis dies, forgets, stands still, drops its subscribers; the network to it is cut, swallows, or is slow.

use std::{
    io::{self, Write},
    net::TcpStream,
    time::Duration,
};

use super::{Remembered, Shown, lacks, until};
use crate::{
    load::chaos::{
        field::{Field, local, state},
        kind::Kind,
        proxy::{Mode, Proxy},
    },
    platform::scratch::Redis,
};

/// A key that is gone when everything is.
const CANARY: &str = "chaos-canary";
const SMALL: &str = "normal 0 0 0 slave 0 0 0 pubsub 32kb 32kb 0";
const USUAL: &str = "normal 0 0 0 slave 256mb 64mb 60 pubsub 32mb 8mb 60";
const STOPS_WITHIN: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_millis(500);
/// What overflows a small buffer: so many messages of so many bytes, in one breath.
const FLOOD: (usize, usize) = (64, 16 * 1024);

/// Who flooded a channel; its answers are not read.
pub(super) struct Held(#[expect(dead_code, reason = "kept open")] TcpStream);

pub(super) fn prepare(
    field: &mut Field,
    kind: Kind,
    remembered: &mut Remembered,
) -> io::Result<()> {
    let redis = field.redis.as_ref().ok_or_else(|| lacks("Redis"))?;
    match kind {
        Kind::RedisKill => remembered.before = run_id(redis)?,
        Kind::RedisFlush => drop(redis.ask(&["SET", CANARY, "1"])?),
        Kind::RedisSmallBuffer => remembered.before = subscribers(redis)?,
        _ => {}
    }
    Ok(())
}

pub(super) fn take(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    let redis = field.redis.as_mut().ok_or_else(|| lacks("Redis"))?;
    let proxy = field.redis_proxy.as_ref().ok_or_else(|| lacks("proxy"))?;
    match kind {
        Kind::RedisKill => {
            redis.kill()?;
            Ok(None)
        }
        Kind::RedisFlush => {
            redis.ask(&["FLUSHALL"])?;
            let there = redis.ask(&["EXISTS", CANARY])?;
            Ok((there == ["0"]).then(|| "a key that was there is gone".into()))
        }
        Kind::RedisPause => {
            redis.pause()?;
            let pid = redis.pid()?.as_raw() as u32;
            let stopped = until(STOPS_WITHIN, || state(pid) == Some('T'));
            Ok(stopped.then(|| format!("process {pid} is in state T")))
        }
        Kind::RedisKillSubscribers => {
            let killed = redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"])?;
            let killed = killed.first().cloned().unwrap_or_default();
            Ok((killed != "0").then(|| format!("{killed} subscribers were closed")))
        }
        Kind::RedisSmallBuffer => {
            redis.ask(&["CONFIG", "SET", "client-output-buffer-limit", SMALL])?;
            remembered.held = flood(redis)?;
            Ok(None)
        }
        Kind::RedisCut => break_off(proxy, Mode::Cut),
        Kind::RedisBlackHole => break_off(proxy, Mode::BlackHole),
        Kind::RedisOneWay => break_off(proxy, Mode::OneWay),
        _ => break_off(proxy, Mode::Delay(LATE)),
    }
}

fn break_off(proxy: &Proxy, mode: Mode) -> Shown {
    proxy.set(mode);
    Ok(None)
}

pub(super) fn heal(field: &mut Field, kind: Kind, remembered: &mut Remembered) -> Shown {
    let redis = field.redis.as_mut().ok_or_else(|| lacks("Redis"))?;
    let proxy = field.redis_proxy.as_ref().ok_or_else(|| lacks("proxy"))?;
    match kind {
        Kind::RedisKill => {
            redis.restart()?;
            let (before, now) = (&remembered.before, run_id(redis)?);
            Ok((now != *before).then(|| format!("run_id {now}, before {before}")))
        }
        Kind::RedisPause => {
            redis.resume()?;
            Ok(None)
        }
        Kind::RedisSmallBuffer => {
            redis.ask(&["CONFIG", "SET", "client-output-buffer-limit", USUAL])?;
            remembered.held = None;
            let now = subscribers(redis)?;
            let gone = remembered.before.split(' ').filter(|id| !now.split(' ').any(|n| n == *id));
            let gone = gone.count();
            Ok((gone > 0).then(|| format!("{gone} subscribers were cut for what they had waiting")))
        }
        Kind::RedisCut | Kind::RedisBlackHole | Kind::RedisOneWay | Kind::RedisDelay => {
            let seen = proxy.seen();
            proxy.set(Mode::Pass);
            let happened = match kind {
                Kind::RedisCut => seen.cut > 0 && seen.up == 0 && seen.down == 0,
                Kind::RedisBlackHole => seen.held > 0 && seen.up == 0 && seen.down == 0,
                Kind::RedisOneWay => seen.up > 0 && seen.down == 0,
                _ => seen.held > seen.up && seen.up > 0,
            };
            Ok(happened.then(|| format!("the proxy saw {seen:?}")))
        }
        _ => Ok(None),
    }
}

fn run_id(redis: &Redis) -> io::Result<String> {
    let info = redis.ask(&["INFO", "server"])?.concat();
    let line = info.lines().find_map(|line| line.strip_prefix("run_id:"));
    Ok(line.unwrap_or_default().trim().to_owned())
}

/// The ids of who subscribes, parted by spaces.
fn subscribers(redis: &Redis) -> io::Result<String> {
    let list = redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"])?.concat();
    let ids = list.lines().filter_map(|line| line.strip_prefix("id=")?.split(' ').next());
    Ok(ids.collect::<Vec<_>>().join(" "))
}

/// Says more in one channel, in one breath, than a small buffer holds. None if nobody subscribes to anything.
fn flood(redis: &Redis) -> io::Result<Option<Held>> {
    let channels = redis.ask(&["PUBSUB", "CHANNELS"])?;
    let Some(channel) = channels.first() else { return Ok(None) };
    let (count, size) = FLOOD;
    let said = "x".repeat(size);
    let one =
        format!("*3\r\n$7\r\nPUBLISH\r\n${}\r\n{channel}\r\n${size}\r\n{said}\r\n", channel.len());
    let mut stream = TcpStream::connect(local(redis.port()))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(one.repeat(count).as_bytes())?;
    Ok(Some(Held(stream)))
}
