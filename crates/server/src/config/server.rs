//! `[server]`: the process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::ConfigError;
use super::range::within;

/// Where the process listens, where it keeps things, how large it may grow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Server {
    /// Address and port of HTTP and all sockets. Port 0: any free one, named in the log.
    /// Default: 127.0.0.1:8700 (the protocol, §7).
    #[serde(deserialize_with = "address")]
    pub listen: SocketAddr,
    /// The data directory, from the working directory. Default: `./campanile-data` (the protocol, §7).
    pub data: PathBuf,
    /// Threads that own connections, 0 to 1,024; 0: one per core. Default: 0.
    pub shards: usize,
    /// Connections held at once, 0 to 10,000,000; newcomers above get 503. 0: as many as the descriptor
    /// limit allows. Default: 0.
    pub max_connections: usize,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8700)),
            data: PathBuf::from("./campanile-data"),
            shards: 0,
            max_connections: 0,
        }
    }
}

/// The library's message does not say what would be right.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let problem = "must be an IP address and a port, such as \"127.0.0.1:8700\" or \"[::]:8700\"";
    String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom(problem))
}

impl Server {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("server.shards", self.shards, 0..=1024)?;
        within("server.max_connections", self.max_connections, 0..=10_000_000)
    }
}
