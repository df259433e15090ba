//! The address of an installation, as it is written in the settings.

use std::fmt;

use percent_encoding::percent_decode_str;

/// What kind of installation it is, and where.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Single(Address),
    /// One master at a time; these know which. They are logged into like the master.
    Sentinel {
        sentinels: Vec<Address>,
        service: String,
    },
    /// Some servers of a cluster; they know the others.
    Cluster(Vec<Address>),
}

/// One server and how it is entered.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Address {
    pub host: String,
    pub port: u16,
    pub user: Option<String>,
    pub password: Option<String>,
    pub database: i64,
    pub tls: bool,
}

/// The address is none.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BadAddress;

impl fmt::Display for BadAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "an address like redis://USER:PASSWORD@HOST:6379/0, redis+sentinel://HOST:26379,HOST/SERVICE \
             or redis+cluster://HOST:6379,HOST, with rediss instead of redis for TLS",
        )
    }
}

impl Kind {
    pub fn parse(url: &str) -> Result<Self, BadAddress> {
        let (scheme, rest) = url.split_once("://").ok_or(BadAddress)?;
        let (family, kind) = scheme.split_once('+').unwrap_or((scheme, ""));
        let tls = match family {
            "redis" => false,
            "rediss" => true,
            _ => return Err(BadAddress),
        };
        let (login, rest) = rest.rsplit_once('@').map_or((None, rest), |(l, r)| (Some(l), r));
        let (hosts, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, password) = match login {
            None => (None, None),
            Some(login) => {
                let (user, password) = login.split_once(':').ok_or(BadAddress)?;
                let user = Some(decoded(user)?).filter(|user| !user.is_empty());
                (user, Some(decoded(password)?))
            }
        };
        let (service, database) = match kind {
            "sentinel" => path.split_once('/').unwrap_or((path, "")),
            _ => ("", path),
        };
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| BadAddress)?,
        };
        let port = if kind == "sentinel" { 26379 } else { 6379 };
        let address = |host: &str| {
            let (host, port) = host_and_port(host, port)?;
            Ok(Address {
                host,
                port,
                user: user.clone(),
                password: password.clone(),
                database,
                tls,
            })
        };
        let mut addresses = hosts.split(',').map(address).collect::<Result<Vec<_>, _>>()?;
        match (kind, addresses.len()) {
            ("", 1) => addresses.pop().map(Self::Single).ok_or(BadAddress),
            ("sentinel", _) if !service.is_empty() => {
                Ok(Self::Sentinel { sentinels: addresses, service: decoded(service)? })
            }
            ("cluster", _) if database == 0 => Ok(Self::Cluster(addresses)),
            _ => Err(BadAddress),
        }
    }

    /// One of those that were named: user, password and TLS are the same for all.
    pub fn any(&self) -> &Address {
        match self {
            Self::Single(address) => address,
            Self::Sentinel { sentinels: all, .. } | Self::Cluster(all) => &all[0],
        }
    }
}

fn decoded(text: &str) -> Result<String, BadAddress> {
    let decoded = percent_decode_str(text).decode_utf8().map_err(|_| BadAddress)?;
    Ok(decoded.into_owned())
}

/// `host`, `host:port`, `[::1]` or `[::1]:port`.
fn host_and_port(text: &str, otherwise: u16) -> Result<(String, u16), BadAddress> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(BadAddress)?;
            (host, port.strip_prefix(':'))
        }
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let port = port.map_or(Ok(otherwise), |port| port.parse().map_err(|_| BadAddress))?;
    match host.is_empty() || port == 0 {
        true => Err(BadAddress),
        false => Ok((host.to_owned(), port)),
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = |addresses: &[Address]| {
            let names: Vec<_> =
                addresses.iter().map(|it| format!("{}:{}", it.host, it.port)).collect();
            names.join(",")
        };
        match self {
            Self::Single(address) => write!(f, "redis at {}:{}", address.host, address.port),
            Self::Sentinel { sentinels, service } => {
                write!(f, "redis {service:?} of the sentinels at {}", all(sentinels))
            }
            Self::Cluster(seeds) => write!(f, "the redis cluster at {}", all(seeds)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_installation_has_its_address() {
        let shown = |url| Kind::parse(url).map(|kind| kind.to_string());
        assert_eq!(shown("redis://h").unwrap(), "redis at h:6379");
        assert_eq!(shown("rediss://ana:hunter2@h:1/3").unwrap(), "redis at h:1");
        assert_eq!(shown("redis://[::1]:7/").unwrap(), "redis at ::1:7");
        assert_eq!(
            shown("redis+sentinel://:hunter2@a,b:2/chat").unwrap(),
            "redis \"chat\" of the sentinels at a:26379,b:2"
        );
        assert_eq!(shown("rediss+cluster://a,b:2").unwrap(), "the redis cluster at a:6379,b:2");
    }

    #[test]
    fn user_password_and_database_are_read() {
        let kind = Kind::parse("rediss://ana:hunter%402@h/3").unwrap();
        let address = kind.any();
        assert_eq!(address.user.as_deref(), Some("ana"));
        assert_eq!(address.password.as_deref(), Some("hunter@2"));
        assert_eq!((address.database, address.tls), (3, true));
        assert_eq!(Kind::parse("redis://:x@h").unwrap().any().user, None);
        let sentinel = Kind::parse("redis+sentinel://h/chat/4").unwrap();
        assert_eq!(sentinel.any().database, 4);
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for bad in [
            "",
            "h:6379",
            "http://h",
            "redis://",
            "redis://a,b",
            "redis://h:0",
            "redis://hunter2@h",
            "redis://h/hunter2",
            "redis+sentinel://h",
            "redis+cluster://h/1",
            "redis+magic://h",
        ] {
            assert_eq!(Kind::parse(bad).err(), Some(BadAddress), "{bad}");
        }
        assert!(!BadAddress.to_string().contains("hunter2"));
    }
}
