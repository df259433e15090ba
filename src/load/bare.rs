//! The floor that a fan-out is measured against: a loop of blocking writes, no protocol, no state, in a process of its own.
//!
//! The parent sends it each frame once, through its standard input (four bytes of length, big endian, then the frame);
//! it writes that frame to every socket. The parent reads the sockets with the same code as a server's.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, ChildStdin, Command, Stdio},
    str::FromStr,
};

use super::{Failure, process::Process};
use crate::edge::listener;

/// The child: listens, says on which port, takes in so many sockets, then writes what it is told until its input ends.
pub fn serve(sockets: usize, mut input: impl Read, mut output: impl Write) -> io::Result<()> {
    // Its clients are in as soon as TCP stands: one that found the backlog full would miss the first message.
    let listener = listener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    writeln!(output, "{}", listener.local_addr()?)?;
    output.flush()?;
    let mut peers = Vec::with_capacity(sockets);
    for _ in 0..sockets {
        let (peer, _) = listener.accept()?;
        peer.set_nodelay(true)?;
        peers.push(peer);
    }
    let mut frame = Vec::new();
    loop {
        let mut length = [0; 4];
        match input.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(e) => return Err(e),
        }
        frame.resize(u32::from_be_bytes(length) as usize, 0);
        input.read_exact(&mut frame)?;
        for peer in &mut peers {
            peer.write_all(&frame)?;
        }
    }
}

/// Tells the child to write this frame to all.
pub fn send(to: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    to.write_all(&(frame.len() as u32).to_be_bytes())?;
    to.write_all(frame)?;
    to.flush()
}

/// The parent's end of the child.
pub struct BareWriter {
    child: Child,
    pub input: ChildStdin,
    pub address: SocketAddr,
}

impl BareWriter {
    /// Runs this binary again as the child.
    pub fn start(sockets: usize) -> Result<Self, Failure> {
        Self::try_start(sockets)
            .map_err(|e| Failure(format!("can't start the bare write loop: {e}")))
    }

    fn try_start(sockets: usize) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["load", "bare-write", "--connections", &sockets.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(io::ErrorKind::BrokenPipe.into());
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        match SocketAddr::from_str(line.trim()) {
            Ok(address) => Ok(Self { child, input, address }),
            Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(io::Error::other("it did not say where it listens"))
            }
        }
    }

    /// The child's process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for BareWriter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::{net::TcpStream, thread};

    use super::*;

    #[test]
    fn each_frame_reaches_each_socket_until_the_input_ends() {
        let (input, mut give) = io::pipe().unwrap();
        let (take, output) = io::pipe().unwrap();
        let child = thread::spawn(move || serve(2, input, output));
        let mut address = String::new();
        BufReader::new(take).read_line(&mut address).unwrap();
        let mut sockets = [(); 2].map(|()| TcpStream::connect(address.trim()).unwrap());
        send(&mut give, b"hello ").unwrap();
        send(&mut give, b"world").unwrap();
        drop(give);
        for socket in &mut sockets {
            let mut heard = String::new();
            socket.read_to_string(&mut heard).unwrap();
            assert_eq!(heard, "hello world");
        }
        child.join().unwrap().unwrap();
    }
}
