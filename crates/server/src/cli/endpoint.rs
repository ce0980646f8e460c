//! Where the server is, for the commands that talk to it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use hyper::Uri;

use super::Failure;
use super::trust::Trust;
use crate::config::Config;

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub struct EndpointArgs {
    /// The server [default: the listen address of the configuration]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Authorities (PEM) that https:// servers are believed by [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

/// A server that speaks HTTP: host and port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// As it stands in a URL and in `Host`.
    pub authority: String,
    /// As the resolver takes it.
    pub host: String,
    /// 80, or 443 within TLS, where the URL names none.
    pub port: u16,
    /// Within TLS: who says that it is the server. `None`: in the clear.
    pub trust: Option<Trust>,
}

impl EndpointArgs {
    /// The server meant.
    pub fn endpoint(&self, config: &Config) -> Result<Endpoint, Failure> {
        match &self.url {
            Some(url) => Endpoint::parse(url, self.trust()),
            None => {
                let at = reachable(config.server.api.listen.unwrap_or(config.server.listen));
                let trust = config.server.tls.is_on().then(|| self.trust());
                Ok(Endpoint { authority: at.to_string(), host: at.ip().to_string(), port: at.port(), trust })
            }
        }
    }

    fn trust(&self) -> Trust {
        self.ca_file.clone().map_or(Trust::Machine, Trust::Authorities)
    }
}

impl Endpoint {
    fn parse(url: &str, trust: Trust) -> Result<Self, Failure> {
        let wrong = |problem: &str| {
            Failure::with_hint(format!("--url {url}: {problem}"), "it looks like http://127.0.0.1:8700")
        };
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let (trust, port) = match uri.scheme_str() {
            Some("http" | "ws") => (None, 80),
            Some("https" | "wss") => (Some(trust), 443),
            _ => return Err(wrong("it has no http:// or https:// in front")),
        };
        let authority = uri.authority().ok_or_else(|| wrong("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it must not carry a user name"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("it must end after the port"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        Ok(Self { authority: authority.to_string(), host, port: authority.port_u16().unwrap_or(port), trust })
    }

    /// As a person would write it.
    pub fn url(&self) -> String {
        let scheme = if self.trust.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.authority)
    }

    /// What to say when nobody answers there.
    pub fn unreachable(&self, cause: &std::io::Error) -> Failure {
        // Those are of the handshake, and of the authorities' file; the network's have kinds of their own.
        let is_trust =
            self.trust.is_some() && matches!(cause.kind(), ErrorKind::InvalidData | ErrorKind::Other);
        let hint = if is_trust {
            "give --url with the name that the certificate is for, and --ca-file if an authority of your own signed it"
                .to_owned()
        } else {
            format!("is `campanile serve` running at {}?", self.url())
        };
        Failure::with_hint(format!("cannot reach {}: {cause}", self.url()), hint)
    }
}

/// An address to connect to where `listen` may be "any".
pub fn reachable(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        ip if !ip.is_unspecified() => ip,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let endpoint = Endpoint::parse("http://[::1]:8700/", Trust::Machine).unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("::1", 8700));
        assert_eq!(Endpoint::parse("http://example.org", Trust::Machine).unwrap().port, 80);
        let endpoint = Endpoint::parse("https://example.org", Trust::Machine).unwrap();
        assert_eq!((endpoint.port, &endpoint.trust), (443, &Some(Trust::Machine)));
        assert_eq!(endpoint.url(), "https://example.org");
        for bad in ["", "127.0.0.1:8700", "http://a/path", "http://u:p@a", "ftp://a", "http://a?b=c"] {
            assert!(Endpoint::parse(bad, Trust::Machine).is_err(), "{bad}");
        }
    }

    #[test]
    fn any_address_is_reached_on_loopback() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
