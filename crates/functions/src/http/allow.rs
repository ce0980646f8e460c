//! Whom functions may reach.

use std::net::IpAddr;
use std::str::FromStr;

use reqwest::Url;

/// The hosts that functions may reach. Empty by default: none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowList {
    entries: Vec<AllowEntry>,
}

/// One of them, written `[private:][http://]host[:port]`.
///
/// - `host` is a name, `*.` and a name (every subdomain, not the name itself), or an IP address; IPv6 in brackets.
/// - Without `http://`, the scheme is `https`. Without a port, it is that of the scheme.
/// - A name must lead to public addresses only, unless `private:` stands in front; an address stands for itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowEntry {
    host: Pattern,
    port: u16,
    scheme: &'static str,
    private: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    /// With its leading dot.
    Below(String),
    Address(IpAddr),
}

/// An entry that says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no host: expected [private:][http://]host[:port]")]
pub struct AllowError(String);

impl AllowList {
    /// A list of these.
    pub fn new(entries: Vec<AllowEntry>) -> Self {
        Self { entries }
    }

    /// A list of these, as they are written.
    ///
    /// # Errors
    /// The first entry that says nothing.
    pub fn parse<T: AsRef<str>>(entries: impl IntoIterator<Item = T>) -> Result<Self, AllowError> {
        entries.into_iter().map(|entry| entry.as_ref().parse()).collect::<Result<_, _>>().map(Self::new)
    }

    /// Whether it allows nobody.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The first entry that covers `url`.
    pub(super) fn entry_for(&self, url: &Url) -> Option<&AllowEntry> {
        // A name before the `@` looks like a host to people.
        let plain = url.username().is_empty() && url.password().is_none();
        self.entries.iter().find(|entry| plain && entry.covers(url))
    }
}

impl AllowEntry {
    fn covers(&self, url: &Url) -> bool {
        if url.scheme() != self.scheme || url.port_or_known_default() != Some(self.port) {
            return false;
        }
        let Some(host) = url.host_str() else { return false };
        match &self.host {
            Pattern::Exactly(name) => host == name,
            Pattern::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
            Pattern::Address(address) => literal(host) == Some(*address),
        }
    }

    pub(super) fn allows_private_addresses(&self) -> bool {
        self.private || matches!(self.host, Pattern::Address(_))
    }
}

impl FromStr for AllowEntry {
    type Err = AllowError;

    fn from_str(text: &str) -> Result<Self, AllowError> {
        let error = || AllowError(text.to_owned());
        let (private, rest) = text.strip_prefix("private:").map_or((false, text), |rest| (true, rest));
        let (scheme, rest) = match rest.strip_prefix("http://") {
            Some(rest) => ("http", rest),
            None => ("https", rest.strip_prefix("https://").unwrap_or(rest)),
        };
        let (below, rest) = rest.strip_prefix("*.").map_or((false, rest), |rest| (true, rest));
        if rest.is_empty()
            || rest.contains(['/', '?', '#', '@', '*', '\\'])
            || rest.contains(char::is_whitespace)
        {
            return Err(error());
        }
        // The parser that reads a function's URLs reads the entry: both have one form for one host.
        let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|_| error())?;
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(error)?;
        let host = match (below, literal(host)) {
            (false, Some(address)) => Pattern::Address(address),
            (true, Some(_)) => return Err(error()),
            (false, None) => Pattern::Exactly(host.to_owned()),
            (true, None) => Pattern::Below(format!(".{host}")),
        };
        Ok(Self { host, port: url.port_or_known_default().ok_or_else(error)?, scheme, private })
    }
}

/// The address that a host of a URL is, if it is one.
fn literal(host: &str) -> Option<IpAddr> {
    host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host).parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(entries: &[&str], url: &str) -> bool {
        AllowList::parse(entries).unwrap().entry_for(&Url::parse(url).unwrap()).is_some()
    }

    #[test]
    fn an_entry_covers_its_host_scheme_and_port_alone() {
        let entry = ["api.example.com"];
        assert!(allows(&entry, "https://api.example.com/a?b"));
        assert!(allows(&entry, "https://API.EXAMPLE.COM:443/"));
        for other in [
            "http://api.example.com/",
            "https://api.example.com:8443/",
            "https://api.example.com.evil.test/",
            "https://evil-api.example.com/",
            "https://example.com/",
            "https://api.example.com@evil.test/",
            "https://user@api.example.com/",
            "https://api.example.com./",
            "file://api.example.com/etc/passwd",
        ] {
            assert!(!allows(&entry, other), "{other}");
        }
        assert!(allows(&["http://a.test:8080"], "http://a.test:8080/"));
        assert!(!allows(&["http://a.test:8080"], "http://a.test/"));
    }

    #[test]
    fn a_star_covers_what_is_below_and_not_the_name() {
        assert!(allows(&["*.example.com"], "https://a.b.example.com/"));
        assert!(!allows(&["*.example.com"], "https://example.com/"));
        assert!(!allows(&["*.example.com"], "https://badexample.com/"));
    }

    #[test]
    fn addresses_match_however_they_are_written_and_only_by_their_own_entry() {
        assert!(allows(&["127.0.0.1"], "https://0x7f.1/"));
        assert!(allows(&["[::1]:8443"], "https://[0:0::1]:8443/"));
        assert!(!allows(&["*.0.0.1.example"], "https://127.0.0.1/"));
        assert!(!allows(&["example.com"], "https://2130706433/"));
    }

    #[test]
    fn entries_that_say_nothing_are_refused() {
        for entry in
            ["", "*", "*.", "a/b", "a b", "u@h", "*.127.0.0.1", "a.*.b", "http://", "h:99999", "private:"]
        {
            assert!(entry.parse::<AllowEntry>().is_err(), "{entry}");
        }
    }
}
