//! Where an issuer publishes its keys.

use reqwest::Url;
use serde::{Deserialize, Serialize};

/// An address that keys may be fetched from: https, or http on this very machine, where nobody stands between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JwksUrl(Url);

impl JwksUrl {
    /// The address.
    pub fn url(&self) -> &Url {
        &self.0
    }

    /// One that leads nowhere, to show what may stand there.
    pub(super) fn example() -> Self {
        Self(Url::parse("https://issuer.example/jwks.json").expect("it is one"))
    }
}

/// Why an address is not fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwksUrlError {
    /// Not an address at all.
    #[error("must be a URL, such as \"https://issuer.example/.well-known/jwks.json\"")]
    NotOne,
    /// Whoever stands between could put keys of their own in.
    #[error("must begin with https:// (http:// is for this machine only: localhost, 127.0.0.1 or [::1])")]
    Insecure,
    /// It would stand in logs and process lists.
    #[error("must not hold a user name or a password")]
    Credentials,
}

impl TryFrom<String> for JwksUrl {
    type Error = JwksUrlError;

    fn try_from(text: String) -> Result<Self, JwksUrlError> {
        let url = Url::parse(&text).map_err(|_| JwksUrlError::NotOne)?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(JwksUrlError::Credentials);
        }
        let host = url.host_str().unwrap_or_default();
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
        let is_here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
        match url.scheme() {
            "https" => Ok(Self(url)),
            "http" if is_here => Ok(Self(url)),
            _ => Err(JwksUrlError::Insecure),
        }
    }
}

impl From<JwksUrl> for String {
    fn from(url: JwksUrl) -> Self {
        url.0.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn https_or_this_machine() {
        let read = |text: &str| JwksUrl::try_from(text.to_owned()).map(|_| ());
        for good in [
            "https://issuer.example/jwks.json",
            "https://issuer.example:8443/realms/a/protocol/openid-connect/certs?x=1",
            "https://10.0.0.1/jwks",
            "http://127.0.0.1:8080/jwks",
            "http://127.9.9.9/jwks",
            "http://[::1]:8080/jwks",
            "http://localhost:8080/jwks",
        ] {
            assert_eq!(read(good), Ok(()), "{good}");
        }
        for bad in [
            "http://issuer.example/jwks",
            "http://10.0.0.1/jwks",
            "http://localhost.evil.example/jwks",
            "http://127.0.0.1.evil.example/jwks",
            "http://0.0.0.0/jwks",
            "file:///etc/passwd",
            "ftp://issuer.example/jwks",
            "data:application/json,{}",
        ] {
            assert_eq!(read(bad), Err(JwksUrlError::Insecure), "{bad}");
        }
        assert_eq!(read("https://user:secret@issuer.example/"), Err(JwksUrlError::Credentials));
        assert_eq!(read("issuer.example/jwks"), Err(JwksUrlError::NotOne));
    }
}
