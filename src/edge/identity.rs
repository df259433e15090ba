//! Who is asking: pages by their origin, programs by their API key.

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

#[cfg(test)]
mod tests {
    use super::*;

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
