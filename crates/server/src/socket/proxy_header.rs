//! The header of the PROXY protocol, version 2, with which a proxy begins a connection: where its client is
//! (<https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt>, §2.2). Version 1 is not understood.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes before the addresses.
const FIXED: usize = 16;
/// Bytes of the longest header that is taken: addresses have 216 at most, and the extensions that balancers in
/// use add (host name, endpoint id, the TLS version of the client) a few hundred.
pub const MAX_HEADER: usize = 2048;

/// What the bytes read so far are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// More has to come.
    Partial,
    /// The first `length` bytes are one; `client` is `None` where the proxy speaks for itself, or its client
    /// has no address.
    Whole {
        /// Bytes it has.
        length: usize,
        /// Where the client is.
        client: Option<IpAddr>,
    },
}

/// Why bytes are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProxyHeaderError {
    /// It does not begin as version 2 does.
    #[error("the connection does not begin with a PROXY header of version 2")]
    Signature,
    /// A version or command that does not exist.
    #[error("the PROXY header has the unknown version and command {0:#04x}")]
    Command(u8),
    /// A family or transport that is not of a TCP connection.
    #[error("the PROXY header is of no TCP connection, but {0:#04x}")]
    Family(u8),
    /// Longer than is taken.
    #[error("the PROXY header has {0} bytes, {MAX_HEADER} are taken at most")]
    Long(usize),
    /// Its addresses or extensions do not fit into it.
    #[error("the PROXY header is shorter than what it holds")]
    Short,
}

impl ProxyHeader {
    /// Reads what a connection begins with.
    ///
    /// # Errors
    /// As soon as it can be none: see [`ProxyHeaderError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, ProxyHeaderError> {
        let begun = bytes.len().min(SIGNATURE.len());
        if bytes[..begun] != SIGNATURE[..begun] {
            return Err(ProxyHeaderError::Signature);
        }
        let Some(fixed) = bytes.get(..FIXED) else { return Ok(Self::Partial) };
        let length = FIXED + usize::from(u16::from_be_bytes([fixed[14], fixed[15]]));
        if length > MAX_HEADER {
            return Err(ProxyHeaderError::Long(length));
        }
        // LOCAL or PROXY, of version 2.
        let is_local = match fixed[12] {
            0x20 => true,
            0x21 => false,
            other => return Err(ProxyHeaderError::Command(other)),
        };
        // Unspecified, or IPv4, IPv6 and UNIX streams.
        let addresses = match fixed[13] {
            _ if is_local => 0,
            0x00 => 0,
            0x11 => 12,
            0x21 => 36,
            0x31 => 216,
            other => return Err(ProxyHeaderError::Family(other)),
        };
        let Some(rest) = bytes.get(FIXED..length) else { return Ok(Self::Partial) };
        let extensions = rest.get(addresses..).ok_or(ProxyHeaderError::Short)?;
        // Where no address is told, what follows is nobody's to understand.
        if addresses > 0 {
            check_extensions(extensions)?;
        }
        let client = match fixed[13] {
            0x11 if !is_local => rest.first_chunk().map(|ip: &[u8; 4]| IpAddr::from(Ipv4Addr::from(*ip))),
            0x21 if !is_local => rest.first_chunk().map(|ip: &[u8; 16]| IpAddr::from(Ipv6Addr::from(*ip))),
            _ => None,
        };
        Ok(Self::Whole { length, client: client.map(|ip| ip.to_canonical()) })
    }
}

/// Type, length, value, one behind the other up to the end.
fn check_extensions(mut rest: &[u8]) -> Result<(), ProxyHeaderError> {
    while let Some(head) = rest.first_chunk::<3>() {
        let length = usize::from(u16::from_be_bytes([head[1], head[2]]));
        rest = rest.get(3 + length..).ok_or(ProxyHeaderError::Short)?;
    }
    if rest.is_empty() { Ok(()) } else { Err(ProxyHeaderError::Short) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    const V4: [u8; 12] = [203, 0, 113, 5, 10, 0, 0, 1, 0x12, 0x34, 0x01, 0xbb];

    fn whole(bytes: &[u8]) -> (usize, Option<String>) {
        match ProxyHeader::parse(bytes).unwrap() {
            ProxyHeader::Whole { length, client } => (length, client.map(|ip| ip.to_string())),
            ProxyHeader::Partial => panic!("a whole header"),
        }
    }

    #[test]
    fn addresses_of_each_family() {
        let v4 = header(0x21, 0x11, &V4);
        assert_eq!(whole(&[&v4[..], b"GET /"].concat()), (28, Some("203.0.113.5".into())));
        let mut v6 = [0; 36];
        v6[..16].copy_from_slice(&"2001:db8::5".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(whole(&header(0x21, 0x21, &v6)), (52, Some("2001:db8::5".into())));
        v6[..16].copy_from_slice(&"::ffff:203.0.113.5".parse::<Ipv6Addr>().unwrap().octets());
        assert_eq!(whole(&header(0x21, 0x21, &v6)).1, Some("203.0.113.5".into()));
        assert_eq!(whole(&header(0x21, 0x31, &[0; 216])), (232, None), "a UNIX socket");
        assert_eq!(whole(&header(0x21, 0x00, b"anything")), (24, None), "unspecified");
        assert_eq!(whole(&header(0x20, 0x00, b"")), (16, None), "the proxy itself");
        assert_eq!(whole(&header(0x20, 0x11, &V4)), (28, None), "the proxy itself, with addresses");
        let extended = [&V4[..], &[0x04, 0, 2, 9, 9], &[0x05, 0, 0]].concat();
        assert_eq!(whole(&header(0x21, 0x11, &extended)), (36, Some("203.0.113.5".into())));
    }

    #[test]
    fn every_beginning_is_partial() {
        let whole = header(0x21, 0x11, &V4);
        for end in 0..whole.len() {
            assert_eq!(ProxyHeader::parse(&whole[..end]), Ok(ProxyHeader::Partial), "{end}");
        }
    }

    #[test]
    fn what_is_none() {
        use ProxyHeaderError::*;
        for (bytes, error) in [
            (b"PROXY TCP4 203.0.113.5 10.0.0.1 4660 443\r\n".to_vec(), Signature),
            (b"G".to_vec(), Signature),
            (b"\x16\x03\x01".to_vec(), Signature),
            (b"\r\n\r\n\0\r\nQUIT\r".to_vec(), Signature),
            (header(0x11, 0x11, &V4), Command(0x11)),
            (header(0x31, 0x11, &V4), Command(0x31)),
            (header(0x22, 0x11, &V4), Command(0x22)),
            (header(0x21, 0x12, &V4), Family(0x12)),
            (header(0x21, 0x41, &V4), Family(0x41)),
            (header(0x21, 0x10, &V4), Family(0x10)),
            (header(0x21, 0x11, &V4[..11]), Short),
            (header(0x21, 0x21, &V4), Short),
            (header(0x21, 0x31, &V4), Short),
            (header(0x21, 0x11, &[&V4[..], &[0x04]].concat()), Short),
            (header(0x21, 0x11, &[&V4[..], &[0x04, 0, 1]].concat()), Short),
            (header(0x21, 0x11, &[&V4[..], &[0x04, 0xff, 0xff, 0]].concat()), Short),
            (header(0x21, 0x11, &[0; MAX_HEADER]), Long(MAX_HEADER + 16)),
            // Known before the rest has arrived.
            (header(0x21, 0x11, &[0; 60_000])[..16].to_vec(), Long(60_016)),
        ] {
            assert_eq!(ProxyHeader::parse(&bytes), Err(error), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(rest in prop::collection::vec(any::<u8>(), 0..300), command: u8, family: u8) {
            let mut bytes = header(command, family, &rest);
            let _any = ProxyHeader::parse(&bytes);
            bytes[15] ^= 7;
            if let Ok(ProxyHeader::Whole { length, .. }) = ProxyHeader::parse(&bytes) {
                prop_assert!(length <= bytes.len());
            }
        }
    }
}
