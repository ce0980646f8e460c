//! Which proxies are believed about where a client is.
//!
//! A client can write what it likes into `X-Forwarded-For`; what the operator's own proxies appended stands to
//! the right of it. So the list is read from the right, for as long as its authors are trusted.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// The operator's proxies.
#[derive(Debug, Clone, Default)]
pub struct Proxies {
    trusted: Vec<IpNet>,
    protocol: bool,
}

/// Why the configured proxies can't be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxiesError {
    /// An entry is no network.
    #[error("must be addresses or networks, such as \"10.0.0.0/8\" or \"::1\"; {0:?} is neither")]
    Network(String),
    /// A network reaches all addresses: then anybody could say where they are.
    #[error("must not be every address: {0:?} lets any client say where it is")]
    Everybody(String),
    /// Nobody may speak the PROXY protocol.
    #[error("needs trusted_proxies, which names who may speak it")]
    Nobody,
}

impl Proxies {
    /// Those in `trusted` (addresses or networks in CIDR notation). `protocol`: they begin every connection with
    /// a header of the PROXY protocol.
    ///
    /// # Errors
    /// See [`ProxiesError`].
    pub fn new(trusted: &[String], protocol: bool) -> Result<Self, ProxiesError> {
        let trusted = trusted.iter().map(|text| network(text)).collect::<Result<Vec<_>, _>>()?;
        if protocol && trusted.is_empty() {
            return Err(ProxiesError::Nobody);
        }
        Ok(Self { trusted, protocol })
    }

    /// Whether a connection from there begins with a header of the PROXY protocol; from elsewhere none may.
    pub fn begin_with_a_header(&self, peer: IpAddr) -> bool {
        self.protocol && self.trusts(peer)
    }

    /// Where a request comes from that `peer` sent, with the values of its `X-Forwarded-For` headers in their
    /// order: the nearest address on the way back that is no proxy's. What is not an address ends the way there.
    pub fn client<'a>(&self, peer: IpAddr, forwarded: impl DoubleEndedIterator<Item = &'a [u8]>) -> IpAddr {
        let mut client = peer.to_canonical();
        let mut steps = forwarded.rev().flat_map(|value| value.rsplit(|byte| *byte == b','));
        while self.trusts(client) {
            match steps.next().and_then(address) {
                Some(next) => client = next,
                None => break,
            }
        }
        client
    }

    fn trusts(&self, ip: IpAddr) -> bool {
        let ip = ip.to_canonical();
        self.trusted.iter().any(|network| network.contains(&ip))
    }
}

fn network(text: &str) -> Result<IpNet, ProxiesError> {
    let parsed = text.parse().or_else(|_| text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical())));
    match parsed {
        Ok(network) if network.prefix_len() > 0 => Ok(network),
        Ok(_) => Err(ProxiesError::Everybody(text.to_owned())),
        Err(_) => Err(ProxiesError::Network(text.to_owned())),
    }
}

/// An address as proxies write it: bare, or with the port.
fn address(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim_matches([' ', '\t']);
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().ok().or_else(|| text.parse().ok().map(|address: SocketAddr| address.ip()))?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(list: &[&str]) -> Proxies {
        Proxies::new(&list.iter().map(|&text| text.to_owned()).collect::<Vec<_>>(), false).unwrap()
    }

    fn client(proxies: &Proxies, peer: &str, forwarded: &[&str]) -> String {
        proxies.client(peer.parse().unwrap(), forwarded.iter().map(|value| value.as_bytes())).to_string()
    }

    #[test]
    fn the_nearest_that_is_no_proxy() {
        let p = proxies(&["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]);
        for (peer, forwarded, expected) in [
            ("10.0.0.1", &["203.0.113.5"][..], "203.0.113.5"),
            ("10.0.0.1", &["1.1.1.1, 203.0.113.5"], "203.0.113.5"),
            ("10.0.0.1", &["1.1.1.1", "203.0.113.5,10.9.9.9 , 192.0.2.7"], "203.0.113.5"),
            ("10.0.0.1", &["203.0.113.5:4711"], "203.0.113.5"),
            ("10.0.0.1", &["[2001:db9::5]:4711"], "2001:db9::5"),
            ("10.0.0.1", &["[2001:db9::5]"], "2001:db9::5"),
            ("2001:db8::1", &["2001:db9::5"], "2001:db9::5"),
            ("::ffff:10.0.0.1", &["::ffff:203.0.113.5"], "203.0.113.5"),
            // All are proxies: the farthest.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Nobody is believed who is not trusted, whatever is said.
            ("203.0.113.9", &["1.1.1.1"], "203.0.113.9"),
            ("192.0.2.8", &["10.0.0.1, 1.1.1.1"], "192.0.2.8"),
        ] {
            assert_eq!(client(&p, peer, forwarded), expected, "{peer} {forwarded:?}");
        }
        assert_eq!(client(&proxies(&[]), "127.0.0.1", &["1.1.1.1"]), "127.0.0.1");
    }

    #[test]
    fn what_is_no_address_ends_the_way() {
        let p = proxies(&["10.0.0.0/8"]);
        for garbage in
            ["", ",", "unknown", "203.0.113.5, ", "203.0.113.5, _hidden", "203.0.113.5 x", "203.0.113.256"]
        {
            assert_eq!(client(&p, "10.0.0.1", &[garbage]), "10.0.0.1", "{garbage:?}");
        }
        assert_eq!(client(&p, "10.0.0.1", &["203.0.113.5, nonsense, 10.0.0.2"]), "10.0.0.2");
        assert_eq!(client(&p, "10.0.0.1", &["203.0.113.5\n"]), "10.0.0.1");
    }

    #[test]
    fn what_can_be_trusted() {
        let refused = |text: &str| Proxies::new(&[text.to_owned()], true).unwrap_err();
        for text in ["10.0.0.0/33", "10.0.0", "localhost", "", "10.0.0.0/8, 10.0.0.1"] {
            assert_eq!(refused(text), ProxiesError::Network(text.into()));
        }
        for text in ["0.0.0.0/0", "::/0"] {
            assert_eq!(refused(text), ProxiesError::Everybody(text.into()));
        }
        assert_eq!(Proxies::new(&[], true).unwrap_err(), ProxiesError::Nobody);
        let p = Proxies::new(&["10.0.0.0/8".to_owned()], true).unwrap();
        assert!(p.begin_with_a_header([10, 1, 1, 1].into()) && !p.begin_with_a_header([11, 1, 1, 1].into()));
    }
}
