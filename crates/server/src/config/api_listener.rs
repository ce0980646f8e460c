//! `[server.api]`: an address for the API alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::ConfigError;

/// A second address, where machines find the API and no sockets. The main one then keeps what users need.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiListener {
    /// Address and port; `None` (`""`): the API is at the main address. Default: none.
    #[serde(deserialize_with = "read", serialize_with = "write")]
    pub listen: Option<SocketAddr>,
    /// PEM: authorities one of which must have signed the certificate that a client shows there. Needs
    /// `[server.tls]`. Default: none, and no certificate is asked for.
    pub client_ca_file: PathBuf,
}

impl ApiListener {
    /// The authorities, if certificates are asked for.
    pub fn client_ca(&self) -> Option<PathBuf> {
        Some(self.client_ca_file.clone()).filter(|path| !path.as_os_str().is_empty())
    }

    pub(super) fn check(&self, tls: bool) -> Result<(), ConfigError> {
        let needs = match (self.client_ca().is_some(), self.listen, tls) {
            (true, None, _) => "server.api.listen: certificates are asked for there alone",
            (true, _, false) => "[server.tls]: without TLS there are no certificates",
            _ => return Ok(()),
        };
        Err(ConfigError::invalid("server.api.client_ca_file", None, format!("needs {needs}")))
    }
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let problem = "must be an IP address and a port, such as \"10.0.0.5:8701\", or \"\" for none";
    if text.is_empty() { Ok(None) } else { text.parse().map(Some).map_err(|_| D::Error::custom(problem)) }
}

fn write<S: Serializer>(listen: &Option<SocketAddr>, serializer: S) -> Result<S::Ok, S::Error> {
    match listen {
        Some(listen) => serializer.collect_str(listen),
        None => serializer.serialize_str(""),
    }
}
