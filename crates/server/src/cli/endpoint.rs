//! Where the server is, for the commands that talk to it.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use clap::Args;
use hyper::Uri;

use super::Failure;
use super::trust::Trust;
use crate::config::Config;
use crate::origin;

/// Where the server is.
#[derive(Debug, Clone, Args)]
pub struct EndpointArgs {
    /// The server [default: the listen address of the configuration]
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Authorities (PEM) that https:// servers are believed by [default: those of this machine]
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Send the token in the clear to another machine, as server.allow_plaintext also allows: only over a network that
    /// nobody else can listen to
    #[arg(long)]
    allow_plaintext: bool,
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
    /// The server meant. It is asked for before a token is made, and refuses those that a token must not be sent to.
    pub fn endpoint(&self, config: &Config) -> Result<Endpoint, Failure> {
        let endpoint = match &self.url {
            Some(url) => Endpoint::parse(url, self.trust())?,
            None => {
                let at = reachable(config.server.api.listen.unwrap_or(config.server.listen));
                let trust = config.server.tls.is_on().then(|| self.trust());
                Endpoint { authority: at.to_string(), host: at.ip().to_string(), port: at.port(), trust }
            }
        };
        if endpoint.is_overheard() && !(self.allow_plaintext || config.server.allow_plaintext) {
            return Err(Failure::with_hint(
                format!("the token would travel to {} in the clear", endpoint.url()),
                "use https://, with --ca-file for an authority of your own; over a network that nobody else can listen to, \
                 --allow-plaintext",
            ));
        }
        Ok(endpoint)
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

    /// Whether what is sent there leaves this machine, and for others to read.
    fn is_overheard(&self) -> bool {
        let is_here = match self.host.parse() {
            Ok(ip) => origin::is_loopback(ip),
            // RFC 6761 §6.3: never another machine.
            Err(_) => self.host.eq_ignore_ascii_case("localhost"),
        };
        self.trust.is_none() && !is_here
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
    fn a_token_is_not_sent_in_the_clear() {
        let meant = |url: &str, allow_plaintext: bool, config: &Config| {
            EndpointArgs { url: (!url.is_empty()).then(|| url.to_owned()), ca_file: None, allow_plaintext }
                .endpoint(config)
        };
        let mut config = Config::default();
        for here in ["", "http://127.0.0.1:8700", "http://127.9.9.9", "ws://LocalHost", "http://[::1]:1"] {
            assert!(meant(here, false, &config).is_ok(), "{here}");
        }
        for elsewhere in [
            "http://notify.example.org",
            "ws://notify.example.org:8700",
            "HTTP://10.0.0.5:8700",
            "http://[2001:db8::1]:8700",
            "http://0.0.0.0:8700",
            "http://127.0.0.1.example.org",
            "http://localhost.example.org",
            "http://2130706433",
        ] {
            assert!(meant(elsewhere, false, &config).is_err(), "{elsewhere}");
            assert!(meant(elsewhere, true, &config).is_ok(), "{elsewhere}");
            let encrypted =
                elsewhere.to_lowercase().replace("http://", "https://").replace("ws://", "wss://");
            assert!(meant(&encrypted, false, &config).is_ok(), "{encrypted}");
        }
        config.server.listen = "10.0.0.5:8700".parse().unwrap();
        assert!(meant("", false, &config).is_err());
        config.server.allow_plaintext = true;
        assert!(meant("", false, &config).is_ok() && meant("http://10.0.0.5", false, &config).is_ok());
    }

    #[test]
    fn any_address_is_reached_on_loopback() {
        assert_eq!(reachable("0.0.0.0:1".parse().unwrap()).to_string(), "127.0.0.1:1");
        assert_eq!(reachable("[::]:1".parse().unwrap()).to_string(), "[::1]:1");
        assert_eq!(reachable("10.0.0.1:1".parse().unwrap()).to_string(), "10.0.0.1:1");
    }
}
