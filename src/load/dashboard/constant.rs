//! The floor that dashboards are measured against: an actix-web handler that returns the same bytes, in a process of its own.

use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr},
    process::{Child, Command, Stdio},
    time::Duration,
};

use actix_web::{App, HttpResponse, HttpServer, web};
use bytes::Bytes;

use crate::{
    edge::listener,
    load::{Failure, process::Process},
};

/// Bytes of a body, at most.
const LONGEST: u64 = 16 << 20;
/// As the node has it.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// The child: reads the body (four bytes of length, big endian, then the bytes), says where it listens, and serves until
/// its input ends.
pub fn serve(mut input: impl Read + Send + 'static, mut output: impl Write) -> io::Result<()> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length)).min(LONGEST);
    let mut body = Vec::new();
    input.by_ref().take(length).read_to_end(&mut body)?;
    let body = Bytes::from(body);
    let listener = listener::bind((Ipv4Addr::LOCALHOST, 0).into())?;
    writeln!(output, "{}", listener.local_addr()?)?;
    output.flush()?;
    actix::System::new().block_on(async move {
        let app = move || {
            let body = body.clone();
            let answer = move || {
                let body = body.clone();
                async move { HttpResponse::Ok().content_type("application/json").body(body) }
            };
            App::new().route("/v1/dashboard", web::get().to(answer))
        };
        let server =
            HttpServer::new(app).keep_alive(KEEP_ALIVE).disable_signals().listen(listener)?.run();
        let handle = server.handle();
        std::thread::spawn(move || {
            // Its end is all that is waited for.
            let _ = io::copy(&mut input, &mut io::sink());
            drop(handle.stop(false));
        });
        server.await
    })
}

/// The parent's end of the child.
pub struct Constant {
    child: Child,
    pub address: SocketAddr,
}

impl Constant {
    /// Runs this binary again as the child, to return `body`.
    pub fn start(body: &[u8]) -> Result<Self, Failure> {
        Self::try_start(body)
            .map_err(|e| Failure(format!("can't start the server of constant bytes: {e}")))
    }

    fn try_start(body: &[u8]) -> io::Result<Self> {
        let mut child = Command::new(env::current_exe()?)
            .args(["load", "constant"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let said = child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe.into()).and_then(|input| {
            input.write_all(&(body.len() as u32).to_be_bytes())?;
            input.write_all(body)?;
            input.flush()
        });
        let mut line = String::new();
        let heard = said.and_then(|()| {
            let output = child.stdout.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
            BufReader::new(output).read_line(&mut line)
        });
        // Ends the child with it if it did not say where it listens.
        let mut constant = Self { child, address: (Ipv4Addr::LOCALHOST, 0).into() };
        heard?;
        let address = line.trim().parse();
        constant.address =
            address.map_err(|_| io::Error::other("it did not say where it listens"))?;
        Ok(constant)
    }

    /// The child's process.
    pub fn process(&self) -> Process {
        Process { pid: self.child.id() }
    }
}

impl Drop for Constant {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
