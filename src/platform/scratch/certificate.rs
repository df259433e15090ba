//! A certificate for a server of one's own, signed by an authority that exists for it alone.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

use super::leash::program;

/// What a TLS server on loopback needs, and what its clients have to trust; PEM files.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority: what clients trust.
    pub authority: PathBuf,
    /// The server's certificate, for `localhost` and 127.0.0.1.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl Certificate {
    /// Makes all three in a folder, valid for a day.
    pub fn make(folder: &Path) -> io::Result<Self> {
        let file = |name: &str| folder.join(name);
        let made = Self {
            authority: file("authority.pem"),
            certificate: file("certificate.pem"),
            key: file("key.pem"),
        };
        let authority_key = file("authority-key.pem");
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /CN=Scratch \
             -addext basicConstraints=critical,CA:true",
            &[("-keyout", &authority_key), ("-out", &made.authority)],
        )?;
        openssl(
            "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 1 -subj /CN=localhost \
             -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:false",
            &[
                ("-CA", &made.authority),
                ("-CAkey", &authority_key),
                ("-keyout", &made.key),
                ("-out", &made.certificate),
            ],
        )?;
        Ok(made)
    }
}

fn openssl(arguments: &str, files: &[(&str, &Path)]) -> io::Result<()> {
    let mut command = Command::new(program("openssl", "openssl")?);
    command.args(arguments.split_whitespace());
    for (name, file) in files {
        command.arg(name).arg(file);
    }
    let ran = command.output()?;
    if !ran.status.success() {
        let why = String::from_utf8_lossy(&ran.stderr).into_owned();
        return Err(io::Error::other(format!("openssl made no certificate: {why}")));
    }
    Ok(())
}
