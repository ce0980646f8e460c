//! The server's address, and what is found below it.

use std::net::IpAddr;

use reqwest::Url;

use crate::error::Error;
use crate::store::Position;
use crate::surface::{Surface, native, product, workspace};

/// The address of a server: checked, without query and fragment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(Url);

impl Address {
    /// Reads an address: `http`, `https`, `ws` or `wss`. In the clear only to this machine, unless `allow_insecure`.
    pub fn parse(text: &str, allow_insecure: bool) -> Result<Self, Error> {
        let mut url = Url::parse(text).map_err(|_| Error::BadUrl("it is no URL"))?;
        let scheme = match url.scheme() {
            "https" | "wss" => "https",
            "http" | "ws" => "http",
            _ => return Err(Error::BadUrl("its scheme is none of https, http, wss and ws")),
        };
        if url.set_scheme(scheme).is_err() || url.host_str().is_none() {
            return Err(Error::BadUrl("it has no host"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
            return Err(Error::BadUrl("it has credentials or a query: tokens are given otherwise"));
        }
        url.set_fragment(None);
        let address = Self(url);
        if scheme == "http" && !allow_insecure && !address.is_loopback() {
            return Err(Error::InsecureUrl { host: address.host().to_owned() });
        }
        Ok(address)
    }

    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default().trim_matches(['[', ']'])
    }

    pub fn port(&self) -> u16 {
        self.0.port_or_known_default().unwrap_or(443)
    }

    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// Names the server among others.
    pub fn origin(&self) -> &str {
        self.0.as_str()
    }

    /// A path of the REST API below this address. Segments are encoded.
    pub fn api(&self, segments: &[&str]) -> Url {
        let mut url = self.0.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url
    }

    /// The address of a socket. On the documented surfaces it holds the token: show it to nobody.
    pub fn socket(
        &self,
        surface: Surface,
        workspace: &str,
        token: &str,
        position: Option<&Position>,
    ) -> String {
        let (mut url, query) = match surface {
            Surface::Native => (self.api(&["v1", "connect"]), native::query(workspace, position)),
            Surface::Workspace => (self.0.clone(), workspace::query(token, workspace)),
            Surface::Product if self.0.path() == "/" => {
                let mut url = self.0.clone();
                url.set_path(product::PATH);
                (url, product::query(token))
            }
            Surface::Product => (self.0.clone(), product::query(token)),
        };
        url.query_pairs_mut().extend_pairs(query);
        // Form encoding writes a space as a plus, which the server takes for a plus.
        let text = url.as_str().replace('+', "%20");
        text.replacen("http", "ws", 1)
    }

    fn is_loopback(&self) -> bool {
        let host = self.host();
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_token_travels_in_the_clear_to_another_machine() {
        for text in [
            "http://localhost:8700",
            "ws://127.0.0.1",
            "http://[::1]:1",
            "https://example.com",
            "wss://example.com/x",
        ] {
            assert!(Address::parse(text, false).is_ok(), "{text}");
        }
        assert!(
            matches!(Address::parse("ws://example.com", false), Err(Error::InsecureUrl { host }) if host == "example.com")
        );
        assert!(Address::parse("ws://example.com", true).is_ok());
        for text in [
            "",
            "example.com",
            "ftp://example.com",
            "https://u:p@example.com",
            "https://example.com/?token=x",
        ] {
            assert!(matches!(Address::parse(text, true), Err(Error::BadUrl(_))), "{text}");
        }
    }

    #[test]
    fn each_surface_is_where_it_is_documented() {
        let address = Address::parse("https://example.com/", false).unwrap();
        let position = Position { epoch: Some("e".into()), seq: 7, rev: 2 };
        assert_eq!(
            address.socket(Surface::Native, "demo", "T", Some(&position)),
            "wss://example.com/v1/connect?workspace=demo&epoch=e&since=7&rev=2"
        );
        assert_eq!(
            address.socket(Surface::Workspace, "demo", "a b", None),
            "wss://example.com/?token=a%20b&workspaceSlug=demo"
        );
        assert_eq!(
            address.socket(Surface::Product, "", "T", None),
            "wss://example.com/api/ws/notification?access_token=T"
        );
        let below = Address::parse("http://localhost:1/push", false).unwrap();
        assert_eq!(
            below.socket(Surface::Native, "w", "T", None),
            "ws://localhost:1/push/v1/connect?workspace=w"
        );
        assert_eq!(below.api(&["v1", "a/b"]).as_str(), "http://localhost:1/push/v1/a%2Fb");
    }
}
