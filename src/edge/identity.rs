//! Who is asking: pages by their origin, programs by their API key.

use std::fmt;

use subtle::ConstantTimeEq;

use crate::platform::glob::Glob;

/// Which web pages may open a socket here.
///
/// The rule is about browsers, which say truly where a page came from. A request without `Origin` comes from a
/// program that could say anything, so it is let through: tokens decide about it.
#[derive(Clone, Debug)]
pub struct Origins {
    allowed: Vec<Glob>,
}

impl Origins {
    /// Patterns like `https://*.example.com`; none: pages of this host, and of the visitor's own machine.
    pub fn new(patterns: &[String]) -> Self {
        let allowed = patterns.iter().map(|pattern| Glob::new(&pattern.to_ascii_lowercase()));
        Self { allowed: allowed.collect() }
    }

    /// Whether a page from `origin` may; `host` is the request's `Host` header.
    pub fn allow(&self, origin: &str, host: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        if self.allowed.is_empty() {
            return match origin.split_once("://") {
                Some((scheme, authority)) => {
                    same_host(scheme, authority, &host.to_ascii_lowercase())
                        || is_loopback(authority)
                }
                None => false,
            };
        }
        self.allowed.iter().any(|pattern| pattern.matches(&origin))
    }
}

/// Compares host and port; a default port may be left out on either side.
fn same_host(scheme: &str, authority: &str, host: &str) -> bool {
    let default = match scheme {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return authority == host,
    };
    let bare = |name: &str| name.strip_suffix(default).unwrap_or(name).to_string();
    !authority.is_empty() && bare(authority) == bare(host)
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(""),
        None => authority.split(':').next().unwrap_or(""),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The keys of programs that may use the server API.
#[derive(Clone)]
pub enum ApiKeys {
    /// Whoever reaches the port: for tests, and behind something that asks for itself.
    Anyone,
    /// Holders of one of these; of none, nobody.
    Holders(Vec<String>),
}

impl ApiKeys {
    /// Whether the holder of `key` may ask. Takes the same time for every wrong key of a length.
    pub fn admit(&self, key: Option<&str>) -> bool {
        match (self, key) {
            (Self::Anyone, _) => true,
            (Self::Holders(keys), Some(key)) => {
                let same = |known: &String| {
                    !known.is_empty() && bool::from(known.as_bytes().ct_eq(key.as_bytes()))
                };
                // No short cut: which of the keys it was shows in no time either.
                keys.iter().fold(false, |found, known| found | same(known))
            }
            (Self::Holders(_), None) => false,
        }
    }
}

impl fmt::Debug for ApiKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anyone => f.write_str("Anyone"),
            Self::Holders(keys) => write!(f, "Holders({} keys, ***)", keys.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_key_opens_the_api() {
        let keys = ApiKeys::Holders(vec!["secret".into(), "other".into()]);
        for (key, opens) in [
            (Some("secret"), true),
            (Some("other"), true),
            (Some("secre"), false),
            (Some("Secret"), false),
            (Some(""), false),
            (None, false),
        ] {
            assert_eq!(keys.admit(key), opens, "{key:?}");
        }
        assert!(!ApiKeys::Holders(vec![]).admit(Some("")));
        assert!(!ApiKeys::Holders(vec![String::new()]).admit(Some("")));
        assert!(ApiKeys::Anyone.admit(None));
        assert!(!format!("{keys:?}").contains("secret"));
    }

    #[test]
    fn by_default_pages_of_this_host_and_of_the_own_machine_may() {
        let origins = Origins::new(&[]);
        for (origin, host, may) in [
            ("https://example.com", "example.com", true),
            ("https://Example.com", "example.COM:443", true),
            ("http://example.com:8000", "example.com:8000", true),
            ("http://localhost:3000", "example.com", true),
            ("http://127.0.0.1:3000", "example.com", true),
            ("http://[::1]:3000", "example.com", true),
            ("https://example.com", "example.com:8000", false),
            ("https://evil.com", "example.com", false),
            ("https://example.com.evil.com", "example.com", false),
            ("https://localhost.evil.com", "example.com", false),
            ("https://127.0.0.1.evil.com", "example.com", false),
            ("null", "example.com", false),
            ("", "example.com", false),
            ("https://", "", false),
        ] {
            assert_eq!(origins.allow(origin, host), may, "{origin} at {host}");
        }
    }

    #[test]
    fn a_list_of_origins_allows_those_and_nothing_else() {
        let origins = Origins::new(&["https://*.Example.com".into(), "http://localhost:*".into()]);
        for (origin, may) in [
            ("https://a.example.com", true),
            ("https://A.EXAMPLE.com", true),
            ("http://localhost:5173", true),
            ("https://example.com", false),
            ("http://a.example.com", false),
            ("https://a.example.com.evil.com", false),
        ] {
            assert_eq!(origins.allow(origin, "example.com"), may, "{origin}");
        }
        assert!(Origins::new(&["*".into()]).allow("null", "example.com"));
    }
}
