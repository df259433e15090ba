//! What passes, what waits, and what is closed.

use std::{
    io::{Read, Write},
    net::{TcpListener as StdListener, TcpStream as StdStream},
};

use super::{works::HOLDS, *};

/// A server that says back what it hears, and the proxy before it.
fn echo() -> Proxy {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let target = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut buffer = [0; 4096];
                while let Ok(n @ 1..) = stream.read(&mut buffer) {
                    if stream.write_all(&buffer[..n]).is_err() {
                        return;
                    }
                }
            });
        }
    });
    Proxy::start(target).unwrap()
}

fn client(proxy: &Proxy) -> StdStream {
    let stream = StdStream::connect(proxy.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    stream
}

fn heard(stream: &mut StdStream, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn until(reached: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !reached() {
        assert!(Instant::now() < deadline, "it never came to that");
        thread::yield_now();
    }
}

#[test]
fn what_is_said_passes_both_ways_also_more_than_a_pipe_holds() {
    let proxy = echo();
    let mut stream = client(&proxy);
    let said: Vec<u8> = (0..3 * HOLDS).map(|n| n as u8).collect();
    let mut writer = stream.try_clone().unwrap();
    let copy = said.clone();
    let writing = thread::spawn(move || writer.write_all(&copy).unwrap());
    assert_eq!(heard(&mut stream, said.len()).unwrap(), said);
    writing.join().unwrap();
    until(|| proxy.seen().down == said.len() as u64);
}

#[test]
fn a_cut_ends_connections_and_refuses_new_ones_until_it_is_whole() {
    let proxy = echo();
    let mut stream = client(&proxy);
    stream.write_all(b"a").unwrap();
    heard(&mut stream, 1).unwrap();
    proxy.set(Mode::Cut);
    assert!(heard(&mut stream, 1).is_err());
    assert!(heard(&mut client(&proxy), 1).is_err());
    assert!(proxy.seen().cut >= 2);
    proxy.set(Mode::Pass);
    let mut stream = client(&proxy);
    stream.write_all(b"b").unwrap();
    assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
}

#[test]
fn a_black_hole_passes_nothing_and_all_of_it_afterwards() {
    let proxy = echo();
    let mut stream = client(&proxy);
    stream.write_all(b"a").unwrap();
    heard(&mut stream, 1).unwrap();
    proxy.set(Mode::BlackHole);
    stream.write_all(b"b").unwrap();
    until(|| proxy.seen().held == 1);
    assert_eq!((proxy.seen().up, proxy.seen().down), (0, 0));
    proxy.set(Mode::Pass);
    assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
}

#[test]
fn one_way_lets_words_reach_the_server_and_its_answers_wait() {
    let proxy = echo();
    let mut stream = client(&proxy);
    stream.write_all(b"a").unwrap();
    heard(&mut stream, 1).unwrap();
    proxy.set(Mode::OneWay);
    stream.write_all(b"b").unwrap();
    until(|| proxy.seen().up == 1 && proxy.seen().held == 2);
    assert_eq!(proxy.seen().down, 0);
    proxy.set(Mode::Pass);
    assert_eq!(heard(&mut stream, 1).unwrap(), b"b");
}

#[test]
fn a_delay_holds_answers_for_its_time() {
    let proxy = echo();
    let mut stream = client(&proxy);
    let delay = Duration::from_millis(100);
    proxy.set(Mode::Delay(delay));
    let began = Instant::now();
    stream.write_all(b"a").unwrap();
    heard(&mut stream, 1).unwrap();
    assert!(began.elapsed() >= delay);
}

#[test]
fn new_connections_go_where_they_are_led() {
    let (one, two) = (echo(), StdListener::bind("127.0.0.1:0").unwrap());
    one.lead_to(two.local_addr().unwrap());
    let mut stream = client(&one);
    stream.write_all(b"a").unwrap();
    let (mut other, _) = two.accept().unwrap();
    assert_eq!(heard(&mut other, 1).unwrap(), b"a");
}
