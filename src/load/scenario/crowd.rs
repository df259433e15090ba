//! `idle` with several nodes: more connections than one process may hold, so child processes hold them. What does each
//! cost, and does one message reach a room that has members everywhere?

use std::{
    io::{BufRead, BufReader, Write, stdin, stdout},
    ops::Range,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    rc::Rc,
    sync::mpsc::{self, Receiver, TryRecvError},
    thread,
    time::Duration,
};

use nix::sys::resource::{Resource, getrlimit};
use serde::{Deserialize, Serialize};

use crate::load::{
    Failure,
    args::{Args, Words},
    clock::Clock,
    conditions::Conditions,
    connection::Member,
    hearing::{Message, Refusal, Subscribed},
    http::Http,
    report::{Report, Server, rounded},
    servers::Servers,
    spawn::Cluster,
    swarm::{Ear, Manner, Swarm},
};
use crate::protocol::Position;

/// Files that a part has open beside its connections.
const SPARE_FILES: u64 = 200;
/// Of so many connections one is a member of the room that is spoken to.
const ONE_IN: usize = 1000;
/// How long all copies of the message may take, and what comes late.
const LISTEN: Duration = Duration::from_secs(5);

/// What one part has heard.
#[derive(Default, Serialize, Deserialize)]
struct Heard {
    /// Members of the room that have the message.
    members: u64,
    /// Copies that came once more.
    again: u64,
    /// Anything else that came, and connections that broke.
    odd: u64,
}

/// Starts the parts, measures the nodes at rest, says something.
pub fn crowd(args: &Args, conditions: &Conditions, cluster: &Cluster) -> Result<Report, Failure> {
    let processes = cluster.processes();
    let servers = Servers::new(&processes)?;
    let all = conditions.connections;
    let (_, files) = getrlimit(Resource::RLIMIT_NOFILE)
        .map_err(|e| Failure(format!("can't learn how many files may be open: {e}")))?;
    let most = usize::try_from(files.saturating_sub(SPARE_FILES)).unwrap_or(usize::MAX).max(1);
    let each = all.div_ceil(all.div_ceil(most));
    let handshakes = conditions.handshakes.div_ceil(all.div_ceil(each));
    let parts = (0..all)
        .step_by(each)
        .map(|first| Part::start(args, cluster, first..(first + each).min(all), handshakes));
    let mut parts = parts.collect::<Result<Vec<_>, _>>()?;
    for part in &mut parts {
        part.are_in()?;
    }
    thread::sleep(Duration::from_secs(conditions.seconds));
    let growth: u64 = servers.growth()?.iter().sum();

    let clock = Clock::start();
    let before = servers.cpu_seconds()?;
    let room = channel(args, &cluster.plan.run);
    let data = format!(r#""{}""#, "x".repeat(conditions.payload));
    for part in &mut parts {
        part.expect(&data)?;
    }
    publish(cluster, &room, &data)?;
    thread::sleep(LISTEN);
    let heard = parts.into_iter().map(Part::heard).collect::<Result<Vec<_>, _>>()?;
    let after = servers.cpu_seconds()?;
    let sum = |of: fn(&Heard) -> u64| heard.iter().map(of).sum::<u64>();
    let (delivered, odd) = (sum(|heard| heard.members), sum(|heard| heard.odd));
    let server = Server::of(&before, &after, delivered).map(|server| Server {
        rss_bytes_per_connection: Some(growth / all as u64),
        cpu_us_per_delivery: None,
        ..server
    });
    Ok(Report {
        scenario: conditions.scenario.name(),
        connections: all,
        seconds: rounded(clock.now() as f64 / 1e9),
        sent: 1,
        acknowledged: 1,
        delivered,
        lost: (all.div_ceil(ONE_IN) as u64).saturating_sub(delivered),
        duplicated: sum(|heard| heard.again),
        reordered: 0,
        rate_per_s: 0.0,
        latency_ms: None,
        ack_ms: None,
        server,
        bare_write_us_per_delivery: None,
        ratio: None,
        client_cpu_us_per_delivery: None,
        notes: (odd > 0).then(|| format!("{odd} x something else happened")).into_iter().collect(),
    })
}

/// The name of the room with a member in each thousand: as a part calls the room of this number.
fn channel(args: &Args, run: &str) -> String {
    let namespace = args.namespace.as_ref().map(|name| format!("{name}:")).unwrap_or_default();
    format!("{namespace}load-{run}-{EVERYWHERE}")
}

/// The number of that room, past all others.
const EVERYWHERE: usize = 1_000_000;

fn publish(cluster: &Cluster, channel: &str, data: &str) -> Result<(), Failure> {
    let door = *cluster.doors().first().ok_or_else(|| Failure("there is no node".into()))?;
    let body = format!(r#"{{"channel":"{channel}","data":{data}}}"#);
    let mut http = Http::new(door, &door.to_string());
    let answer = http.post("/api/publish", &cluster.secrets.api_key, body.as_bytes())?;
    match answer.status {
        200 if !answer.body.starts_with(b"{\"error\"") => Ok(()),
        status => Err(Failure(format!(
            "the message was refused with {status}: {}",
            String::from_utf8_lossy(&answer.body)
        ))),
    }
}

/// A child process with a part of the connections.
struct Part {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Part {
    /// Users of these numbers, so many of them on their way in at a time.
    fn start(
        args: &Args,
        cluster: &Cluster,
        users: Range<usize>,
        handshakes: usize,
    ) -> Result<Self, Failure> {
        let failed = |e: std::io::Error| Failure(format!("can't start a part of the clients: {e}"));
        let doors = cluster.doors();
        let url = doors.first().map(|door| format!("ws://{door}/connection/websocket"));
        let encoding = if args.encoding == Words::Json { "json" } else { "protobuf" };
        let mut command = Command::new(std::env::current_exe().map_err(failed)?);
        command
            .args(["load", "idle-part", "--url", &url.unwrap_or_default()])
            .args(["--secret", &cluster.secrets.token, "--run", &cluster.plan.run])
            .args(["--connections", &users.len().to_string(), "--first", &users.start.to_string()])
            .args(["--handshakes", &handshakes.to_string(), "--encoding", encoding])
            .args(["--room-size", &args.room_size.unwrap_or(100).to_string()])
            .args(doors.iter().flat_map(|door| ["--door".to_owned(), door.to_string()]))
            .args(args.namespace.iter().flat_map(|name| ["--namespace", name]))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        let mut child = command.spawn().map_err(failed)?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(input), Some(output)) => {
                Ok(Self { child, input: Some(input), output: BufReader::new(output) })
            }
            _ => Err(Failure("a part of the clients has no pipes".into())),
        }
    }

    /// Waits until it has said that all its connections are in.
    fn are_in(&mut self) -> Result<(), Failure> {
        self.line().map(drop)
    }

    /// Tells it what will come, and waits until it knows: a message that it does not expect yet would not count.
    fn expect(&mut self, data: &str) -> Result<(), Failure> {
        let gone = |e| Failure(format!("a part of the clients is gone: {e}"));
        if let Some(input) = &mut self.input {
            writeln!(input, "{data}").map_err(gone)?;
        }
        self.line().map(drop)
    }

    /// Ends it; what it has heard.
    fn heard(mut self) -> Result<Heard, Failure> {
        drop(self.input.take());
        let line = self.line()?;
        serde_json::from_str(&line)
            .map_err(|e| Failure(format!("a part of the clients does not say what it heard: {e}")))
    }

    fn line(&mut self) -> Result<String, Failure> {
        let mut line = String::new();
        match self.output.read_line(&mut line) {
            Ok(n) if n > 0 => Ok(line),
            _ => Err(Failure("a part of the clients ended early".into())),
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The child: brings its connections in, says so, and listens until its input ends.
pub fn part_of_a_crowd(
    conditions: &Conditions,
    target: crate::load::target::Target,
    first: usize,
) -> Result<(), Failure> {
    let clock = Clock::start();
    let mut swarm = Swarm::new(Rc::new(target), Manner::Client, clock, conditions.handshakes)?;
    for user in first..first + conditions.connections {
        let room = if user % ONE_IN == 0 { EVERYWHERE } else { user / conditions.room_size };
        swarm.add(Member { user, room: Some(room) });
    }
    let mut ear = Listener::default();
    let (mut up, mut since) = (0, clock.now());
    while swarm.up() < swarm.len() {
        swarm.turn(Duration::from_millis(50), &mut ear)?;
        if swarm.up() != up {
            (up, since) = (swarm.up(), clock.now());
        }
        if Duration::from_nanos(clock.now() - since) > conditions.patience {
            return Err(Failure(format!(
                "{up} of {} connections are in; {:?}",
                swarm.len(),
                swarm.ends
            )));
        }
    }
    say(&"in")?;
    let words = read_words();
    loop {
        swarm.turn(Duration::from_millis(50), &mut ear)?;
        match words.try_recv() {
            Ok(data) => {
                ear.expected = data;
                say(&"expecting")?;
            }
            Err(TryRecvError::Empty) => {}
            Err(TryRecvError::Disconnected) => break,
        }
    }
    let Listener { mut heard, members, .. } = ear;
    heard.members = members.len() as u64;
    heard.odd += swarm.ends.values().sum::<u64>();
    say(&heard)
}

fn say(words: &impl Serialize) -> Result<(), Failure> {
    let failed = |e: String| Failure(format!("nobody listens: {e}"));
    let text = serde_json::to_string(words).map_err(|e| failed(e.to_string()))?;
    writeln!(stdout(), "{text}").and_then(|()| stdout().flush()).map_err(|e| failed(e.to_string()))
}

/// The lines of the standard input, until it ends.
fn read_words() -> Receiver<String> {
    let (tell, words) = mpsc::sync_channel(1);
    thread::spawn(move || {
        for line in stdin().lock().lines().map_while(Result::ok) {
            if tell.send(line).is_err() {
                return;
            }
        }
    });
    words
}

/// Counts who has heard the one message.
#[derive(Default)]
struct Listener {
    expected: String,
    members: std::collections::HashSet<usize>,
    heard: Heard,
}

impl Ear for Listener {
    fn position(&self, _: usize) -> Option<Position> {
        None
    }

    fn joined(&mut self, _: usize, _: usize, _: &Subscribed<'_>) {}

    fn delivered(&mut self, who: usize, message: Message<'_>, _: u64) {
        if message.data != self.expected.as_bytes() {
            self.heard.odd += 1;
        } else if !self.members.insert(who) {
            self.heard.again += 1;
        }
    }

    fn answered(&mut self, _: usize, _: u32, _: Result<(), Refusal<'_>>, _: u64) {
        self.heard.odd += 1;
    }

    fn gone(&mut self, _: usize) {}
}
