//! Which web pages may connect: the `Origin` of a browser against the operator's list.
//!
//! Only browsers send `Origin`, and no page can forge it. Whoever sends none is no page, and its token decides
//! alone. Two origins are the same if scheme, host and port are (RFC 6454 §5): there are no suffixes, no
//! wildcards, and `null` (a sandboxed frame, a file) is nobody's origin.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

/// Characters of an origin that is looked at: a host has 253, its scheme and port are short.
const MAX_ORIGIN: usize = 300;

/// Scheme, host and port of a page. Default ports are filled in, letters are in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WebOrigin {
    scheme: String,
    host: String,
    /// `None`: of a scheme without a default, and none was named.
    port: Option<u16>,
}

/// Why a text is no origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// No page has this origin for itself.
    #[error("null is no origin that can be told from another")]
    Null,
    /// It does not begin with a scheme and `://`.
    #[error("must begin with https:// or http://")]
    Scheme,
    /// There are no wildcards: whoever gets a name below the suffix would be let in.
    #[error("must be a whole host: wildcards are not understood")]
    Wildcard,
    /// What is between the scheme and the port is no host, or something stands behind the port.
    #[error("must be scheme, host and port alone, such as \"https://app.example.com\"")]
    Host,
    /// The port is none.
    #[error("must have a port of 1 to 65535, or none")]
    Port,
}

impl FromStr for WebOrigin {
    type Err = OriginError;

    /// Reads `scheme://host[:port]`, and nothing else: no path, no user, no final dot.
    fn from_str(text: &str) -> Result<Self, OriginError> {
        if text.eq_ignore_ascii_case("null") {
            return Err(OriginError::Null);
        }
        let (scheme, authority) = text.split_once("://").ok_or(OriginError::Scheme)?;
        let begins = scheme.starts_with(|c: char| c.is_ascii_alphabetic());
        if !begins || !scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c)) {
            return Err(OriginError::Scheme);
        }
        if text.len() > MAX_ORIGIN {
            return Err(OriginError::Host);
        }
        Self::at(&scheme.to_ascii_lowercase(), authority)
    }
}

impl WebOrigin {
    /// That of `scheme`, in lower case, at a host with or without a port, as it stands in `Host`.
    fn at(scheme: &str, authority: &str) -> Result<Self, OriginError> {
        let (host, port) = match authority.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(OriginError::Host)?;
                let address: Ipv6Addr = address.parse().map_err(|_| OriginError::Host)?;
                let port = match port.strip_prefix(':') {
                    None if port.is_empty() => None,
                    None => return Err(OriginError::Host),
                    Some(port) => Some(port),
                };
                (format!("[{address}]"), port)
            }
            None => {
                let (host, port) =
                    authority.split_once(':').map_or((authority, None), |(host, port)| (host, Some(port)));
                (checked_name(host)?, port)
            }
        };
        let port = port.map(checked_port).transpose()?.or(match scheme {
            "https" => Some(443),
            "http" => Some(80),
            _ => None,
        });
        Ok(Self { scheme: scheme.to_owned(), host, port })
    }

    fn is_loopback(&self) -> bool {
        let address = self.host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        self.host == "localhost" || address.is_ok_and(|address| address.to_canonical().is_loopback())
    }
}

fn checked_name(name: &str) -> Result<String, OriginError> {
    if name.contains('*') {
        return Err(OriginError::Wildcard);
    }
    let is_label = |label: &str| {
        !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    if name.split('.').all(is_label) { Ok(name.to_ascii_lowercase()) } else { Err(OriginError::Host) }
}

fn checked_port(port: &str) -> Result<u16, OriginError> {
    // The number's own parser takes a plus.
    let is_number = port.bytes().all(|b| b.is_ascii_digit());
    port.parse().ok().filter(|port| is_number && *port > 0).ok_or(OriginError::Port)
}

/// The pages that may connect.
#[derive(Debug, Clone)]
pub struct Origins {
    listed: HashSet<WebOrigin>,
    on_loopback: bool,
    tls: bool,
}

/// Who sends a request, by its headers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Visit {
    /// No page: there is no `Origin`.
    Direct,
    /// A page that may.
    Allowed,
    /// A page that may not.
    Refused,
}

impl Origins {
    /// Those that `listed` names, and no others. Where it names none: pages of the very origin that is asked,
    /// and any page but `null` where the server listens on loopback (`on_loopback`) and was asked by a loopback
    /// name. A proxy on this machine passes on the name that the world knows, so it does not open that door.
    ///
    /// # Errors
    /// The first entry that is no origin.
    pub fn new(listed: &[String], on_loopback: bool, tls: bool) -> Result<Self, OriginError> {
        let listed = listed.iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
        Ok(Self { listed, on_loopback, tls })
    }

    /// Judges the headers of a request.
    pub fn judge<'a>(&self, headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Visit {
        let (mut origin, mut host) = (Once::Never, Once::Never);
        for (name, value) in headers {
            if name.eq_ignore_ascii_case("origin") {
                origin.add(value);
            } else if name.eq_ignore_ascii_case("host") {
                host.add(value);
            }
        }
        let origin = match origin {
            Once::Never => return Visit::Direct,
            origin => origin.text().and_then(|text| text.parse::<WebOrigin>().ok()),
        };
        match origin {
            Some(origin) if self.allows(&origin, host.text()) => Visit::Allowed,
            _ => Visit::Refused,
        }
    }

    fn allows(&self, origin: &WebOrigin, host: Option<&str>) -> bool {
        if !self.listed.is_empty() {
            return self.listed.contains(origin);
        }
        // Where a proxy may speak TLS for us, the scheme that the page's browser used is not known here: its header for
        // that is the client's to write wherever the proxy does not replace it. What passes beyond the same origin is a
        // page of the very host in the clear, whose scripts have neither the token nor, as we take none, a cookie.
        let schemes: &[&str] = if self.tls { &["https"] } else { &["http", "https"] };
        let is_own_scheme = schemes.contains(&origin.scheme.as_str());
        let Some(asked) = host.and_then(|host| WebOrigin::at(&origin.scheme, host).ok()) else {
            return false;
        };
        (is_own_scheme && asked == *origin) || (self.on_loopback && asked.is_loopback())
    }
}

/// A header that is to be there once.
enum Once<'a> {
    Never,
    One(&'a [u8]),
    Repeated,
}

impl<'a> Once<'a> {
    fn add(&mut self, value: &'a [u8]) {
        *self = if matches!(self, Self::Never) { Self::One(value) } else { Self::Repeated };
    }

    fn text(&self) -> Option<&'a str> {
        match self {
            Self::One(value) => std::str::from_utf8(value).ok(),
            Self::Never | Self::Repeated => None,
        }
    }
}

/// Whether an address to listen on is reached from this machine only.
pub fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(origins: &Origins, origin: &str, host: &str) -> Visit {
        origins.judge([("Host", host.as_bytes()), ("oRiGiN", origin.as_bytes())].into_iter())
    }

    fn listed(list: &[&str]) -> Origins {
        let list: Vec<String> = list.iter().map(|&text| text.to_owned()).collect();
        Origins::new(&list, true, true).unwrap()
    }

    #[test]
    fn exactly_the_listed() {
        let origins = listed(&["https://app.example.com", "http://[2001:DB8::1]:8080", "tauri://localhost"]);
        for same in [
            "https://app.example.com",
            "https://app.example.com:443",
            "HTTPS://App.Example.COM",
            "http://[2001:db8:0::1]:8080",
            "tauri://localhost",
        ] {
            assert_eq!(judge(&origins, same, "n.example.com"), Visit::Allowed, "{same}");
        }
        for hostile in [
            "null",
            "NULL",
            "",
            " ",
            "*",
            "https://app.example.com.evil.example",
            "https://evil-app.example.com",
            "https://evil.example/https://app.example.com",
            "https://app.example.com.",
            "https://app.example.com:444",
            "https://app.example.com:0443x",
            "https://app.example.com:+443",
            "https://app.example.com:",
            "https://app.example.com/",
            "https://app.example.com?",
            "https://app.example.com#",
            "https://app.example.com@evil.example",
            "https://user@app.example.com",
            "https://evil.example\\@app.example.com",
            "https://app.example.com, https://evil.example",
            "https://app.example.com https://evil.example",
            " https://app.example.com",
            "https://app.example.com\t",
            "https://app%2eexample.com",
            "https://app.example\u{3002}com",
            "https://\u{430}pp.example.com",
            "https:app.example.com",
            "//app.example.com",
            "app.example.com",
            "http://app.example.com",
            "http://app.example.com:443",
            "wss://app.example.com",
            "https://example.com",
            "https://xapp.example.com",
            "https://app-example.com",
            "http://[2001:db8::2]:8080",
            "http://[2001:db8::1%25eth0]:8080",
            "http://2001:db8::1:8080",
            "http://[2001:db8::1]8080",
            "http://[2001:db8::1]",
            "tauri://localhost:80",
        ] {
            assert_eq!(judge(&origins, hostile, "n.example.com"), Visit::Refused, "{hostile}");
        }
        // The list is the whole truth: neither the same host nor loopback is let in beside it.
        assert_eq!(judge(&origins, "https://n.example.com", "n.example.com"), Visit::Refused);
        assert_eq!(judge(&origins, "http://localhost:5173", "localhost:8700"), Visit::Refused);
    }

    #[test]
    fn bytes_repetitions_and_lengths() {
        let origins = listed(&["https://a.example"]);
        let host = ("host", &b"n.example"[..]);
        let twice = [host, ("origin", b"https://a.example"), ("Origin", b"https://a.example")];
        assert_eq!(origins.judge(twice.into_iter()), Visit::Refused);
        assert_eq!(origins.judge([host, ("origin", b"https://a\xff.example")].into_iter()), Visit::Refused);
        assert_eq!(origins.judge([host].into_iter()), Visit::Direct);
        let long = format!("https://{}.example", "a".repeat(MAX_ORIGIN));
        assert_eq!(judge(&origins, &long, "n.example"), Visit::Refused);
    }

    #[test]
    fn without_a_list() {
        let (open, public) =
            (Origins::new(&[], true, false).unwrap(), Origins::new(&[], false, false).unwrap());
        for host in ["localhost:8700", "127.0.0.1:8700", "[::1]:8700"] {
            assert_eq!(judge(&open, "http://localhost:5173", host), Visit::Allowed, "{host}");
            assert_eq!(judge(&open, "null", host), Visit::Refused, "{host}");
            assert_eq!(judge(&public, "http://localhost:5173", host), Visit::Refused, "{host}");
        }
        for origins in [&open, &public] {
            // A proxy on this machine passes on the name that its clients used.
            assert_eq!(judge(origins, "https://evil.example", "n.example.com"), Visit::Refused);
            assert_eq!(judge(origins, "https://n.example.com", "n.example.com"), Visit::Allowed);
            assert_eq!(judge(origins, "http://n.example.com", "n.example.com"), Visit::Allowed);
            assert_eq!(judge(origins, "https://n.example.com:8443", "n.example.com:8443"), Visit::Allowed);
            assert_eq!(judge(origins, "https://n.example.com:8443", "n.example.com"), Visit::Refused);
            assert_eq!(
                judge(origins, "https://localhost.evil.example", "localhost.evil.example:1"),
                Visit::Refused
            );
        }
        let tls = Origins::new(&[], false, true).unwrap();
        assert_eq!(judge(&tls, "http://n.example.com:8443", "n.example.com:8443"), Visit::Refused);
        assert_eq!(judge(&tls, "https://n.example.com:8443", "n.example.com:8443"), Visit::Allowed);
        let hosts = [("origin", &b"https://a.example"[..]), ("host", b"a.example"), ("host", b"b.example")];
        assert_eq!(public.judge(hosts.into_iter()), Visit::Refused, "two hosts are none");
    }

    #[test]
    fn what_can_be_listed() {
        for (text, error) in [
            ("null", OriginError::Null),
            ("*", OriginError::Scheme),
            ("example.com", OriginError::Scheme),
            ("https://*.example.com", OriginError::Wildcard),
            ("https://example.com/", OriginError::Host),
            ("https://", OriginError::Host),
            ("https://example.com:0", OriginError::Port),
        ] {
            assert_eq!(text.parse::<WebOrigin>(), Err(error), "{text}");
        }
    }
}
