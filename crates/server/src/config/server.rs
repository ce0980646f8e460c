//! `[server]`: the process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};

use super::range::within;
use super::{ApiListener, ConfigError, Tls};
use crate::origin::{self, Origins};
use crate::proxies::{Proxies, ProxiesError};
use crate::tls::Files;

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
    /// Whether to listen on an address that others reach without TLS. Default: false.
    pub allow_plaintext: bool,
    /// Addresses and networks of proxies whose `X-Forwarded-For` is believed. Default: none.
    pub trusted_proxies: Vec<String>,
    /// Whether those begin every connection with a header of the PROXY protocol, version 2. Default: false.
    pub proxy_protocol: bool,
    /// Refused tokens of one client address in a minute, 0 to 1,000,000, after which only those are looked at there that
    /// are known; 0: no limit. Default: 100.
    pub auth_failures_per_minute: u32,
    /// Pages that may connect, as `https://app.example.com`. None: those of the origin that is asked, and on
    /// loopback every one. Default: none.
    pub allowed_origins: Vec<String>,
    /// The certificate, where TLS is spoken here. Default: none.
    pub tls: Tls,
    /// A second address, for the API alone. Default: none.
    pub api: ApiListener,
}

impl Default for Server {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8700)),
            data: PathBuf::from("./campanile-data"),
            shards: 0,
            max_connections: 0,
            allow_plaintext: false,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            auth_failures_per_minute: 100,
            allowed_origins: Vec::new(),
            tls: Tls::default(),
            api: ApiListener::default(),
        }
    }
}

/// The library's message does not say what would be right.
fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let problem = "must be an IP address and a port, such as \"127.0.0.1:8700\" or \"[::]:8700\"";
    String::deserialize(deserializer)?.parse().map_err(|_| D::Error::custom(problem))
}

impl Server {
    /// Refuses to send tokens and notifications in the clear over a network, unless that is asked for.
    ///
    /// # Errors
    /// [`ConfigError::Plaintext`].
    pub fn check_exposure(&self) -> Result<(), ConfigError> {
        if self.tls.is_on() || self.allow_plaintext {
            return Ok(());
        }
        let all = [("server.listen", Some(self.listen)), ("server.api.listen", self.api.listen)];
        let exposed = all.into_iter().find_map(|(key, listen)| {
            listen.filter(|listen| !origin::is_loopback(listen.ip())).map(|listen| (key, listen))
        });
        exposed.map_or(Ok(()), |(key, listen)| Err(ConfigError::Plaintext { key, listen }))
    }

    /// The certificate of the main address, if TLS is spoken. Clients need none.
    pub fn certificate(&self) -> Option<Files> {
        let Tls { cert_file, key_file, .. } = self.tls.clone();
        self.tls.is_on().then_some(Files { cert: cert_file, key: key_file, client_ca: None })
    }

    /// That of the API's address.
    pub fn api_certificate(&self) -> Option<Files> {
        self.certificate().map(|files| Files { client_ca: self.api.client_ca(), ..files })
    }

    /// The pages that may connect.
    ///
    /// # Errors
    /// For an entry that is no origin.
    pub fn origins(&self) -> Result<Origins, ConfigError> {
        Origins::new(&self.allowed_origins, origin::is_loopback(self.listen.ip()), self.tls.is_on())
            .map_err(|error| ConfigError::invalid("server.allowed_origins", None, error.to_string()))
    }

    /// The proxies in front.
    ///
    /// # Errors
    /// For an entry that is no network, and where nobody is named to speak the PROXY protocol.
    pub fn proxies(&self) -> Result<Proxies, ConfigError> {
        Proxies::new(&self.trusted_proxies, self.proxy_protocol).map_err(|error| {
            let key = match error {
                ProxiesError::Nobody => "server.proxy_protocol",
                _ => "server.trusted_proxies",
            };
            ConfigError::invalid(key, None, error.to_string())
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("server.shards", self.shards, 0..=1024)?;
        within("server.max_connections", self.max_connections, 0..=10_000_000)?;
        within("server.auth_failures_per_minute", self.auth_failures_per_minute, 0..=1_000_000)?;
        self.proxies()?;
        self.tls.check()?;
        self.api.check(self.tls.is_on())?;
        self.origins().map(drop)
    }
}
