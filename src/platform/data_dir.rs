//! The data directory: one node at a time holds it, and the secrets generated for development live in it.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::settings::Secret;

/// The directory, held until this is dropped. A process that dies lets go of it too.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

/// A secret that a node generates for development and keeps in a file of its own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Generated {
    /// Signs tokens.
    TokenSecret,
    /// Opens the server API.
    ApiKey,
}

/// Why the directory can't be had.
#[derive(Debug)]
pub enum DataDirError {
    /// Another process holds it; its id, if it could be read.
    Held { path: PathBuf, pid: Option<u32> },
    /// A file or the directory itself can't be made, read or written.
    Unusable { path: PathBuf, why: io::Error },
    /// A file that should hold a secret is empty.
    Empty { path: PathBuf },
}

const LOCK_FILE: &str = "fanfare.lock";
/// Bytes of a generated secret: as many as HS256 has room for.
const SECRET_BYTES: usize = 32;

impl DataDir {
    /// Creates the directory if it is not there, for its owner alone, and takes its lock.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        let unusable = |path: &Path| unusable(path.into());
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unusable(path))?;
        let lock_path = path.join(LOCK_FILE);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut lock = options.open(&lock_path).map_err(unusable(&lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let pid = lock.read_to_string(&mut holder).ok();
                let pid = pid.and_then(|_| holder.trim().parse().ok());
                return Err(DataDirError::Held { path: path.into(), pid });
            }
            Err(TryLockError::Error(why)) => {
                return Err(DataDirError::Unusable { path: lock_path, why });
            }
        }
        let pid = format!("{}\n", std::process::id());
        lock.set_len(0)
            .and_then(|()| lock.write_all(pid.as_bytes()))
            .map_err(unusable(&lock_path))?;
        Ok(Self { path: path.into(), _lock: lock })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The secret, generated if it is not there; true if it was generated just now.
    pub fn secret(&self, which: Generated) -> Result<(Secret, bool), DataDirError> {
        if let Some(secret) = read_secret(&self.path, which)? {
            return Ok((secret, false));
        }
        let path = which.path(&self.path);
        let secret = draw();
        write_whole(&path, secret.expose()).map_err(unusable(path))?;
        Ok((secret, true))
    }
}

impl Generated {
    /// The file that holds it.
    pub fn path(self, data_dir: &Path) -> PathBuf {
        data_dir.join(match self {
            Self::TokenSecret => "token_secret",
            Self::ApiKey => "api_key",
        })
    }
}

/// A generated secret of a directory that a node may be holding; none if it was never generated.
pub fn read_secret(data_dir: &Path, which: Generated) -> Result<Option<Secret>, DataDirError> {
    let path = which.path(data_dir);
    match fs::read_to_string(&path) {
        Ok(text) if text.trim().is_empty() => Err(DataDirError::Empty { path }),
        Ok(text) => Ok(Some(Secret::new(text.trim()))),
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(DataDirError::Unusable { path, why }),
    }
}

fn unusable(path: PathBuf) -> impl FnOnce(io::Error) -> DataDirError {
    move |why| DataDirError::Unusable { path, why }
}

fn draw() -> Secret {
    let bytes: [u8; SECRET_BYTES] = rand::random();
    Secret::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// Writes beside, then renames: a crash leaves no half secret behind.
fn write_whole(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut options = OpenOptions::new();
    let mut file = options.write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    fs::rename(beside, path)
}

impl fmt::Display for DataDirError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held { path, pid } => {
                let path = path.display();
                write!(f, "the data directory {path} is in use by ")?;
                match pid {
                    Some(pid) => write!(f, "process {pid}")?,
                    None => write!(f, "another process")?,
                }
                write!(f, ": stop it, or give this one another with --data-dir")
            }
            Self::Unusable { path, why } => {
                write!(f, "{}: {why}; expected to read and write there", path.display())
            }
            Self::Empty { path } => {
                let path = path.display();
                write!(f, "{path} is empty, expected a secret: remove it and a new one is made")
            }
        }
    }
}

impl std::error::Error for DataDirError {}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    struct Scratch(PathBuf);

    impl Scratch {
        fn new() -> Self {
            Self(std::env::temp_dir().join(format!("fanfare-data-{}", uuid::Uuid::new_v4())))
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_second_one_is_told_who_holds_the_directory() {
        let scratch = Scratch::new();
        let held = DataDir::open(&scratch.0).unwrap();
        let message = DataDir::open(&scratch.0).unwrap_err().to_string();
        assert!(
            message.contains(&format!("in use by process {}", std::process::id())),
            "{message}"
        );
        drop(held);
        DataDir::open(&scratch.0).unwrap();
    }

    #[test]
    fn secrets_are_generated_once_and_for_the_owner_alone() {
        let scratch = Scratch::new();
        let data = DataDir::open(&scratch.0).unwrap();
        assert_eq!(mode(data.path()), 0o700);
        let (token, fresh) = data.secret(Generated::TokenSecret).unwrap();
        assert!(fresh);
        assert_eq!(token.expose().len(), 2 * SECRET_BYTES);
        assert_eq!(mode(&Generated::TokenSecret.path(data.path())), 0o600);
        assert_eq!(data.secret(Generated::TokenSecret).unwrap(), (token.clone(), false));
        assert_ne!(data.secret(Generated::ApiKey).unwrap().0, token);
        assert_eq!(read_secret(data.path(), Generated::TokenSecret).unwrap(), Some(token));
    }

    #[test]
    fn an_empty_secret_is_not_taken_for_one() {
        let scratch = Scratch::new();
        let data = DataDir::open(&scratch.0).unwrap();
        fs::write(Generated::ApiKey.path(data.path()), "\n").unwrap();
        let message = data.secret(Generated::ApiKey).unwrap_err().to_string();
        assert!(message.contains("api_key is empty, expected a secret"), "{message}");
    }

    #[test]
    fn a_directory_that_can_not_be_made_is_told_by_name() {
        let message = DataDir::open(Path::new("/dev/null/data")).unwrap_err().to_string();
        assert!(message.starts_with("/dev/null/data: "), "{message}");
    }
}
