//! The listeners, as configured: what each is secured with, and what it serves.

use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use tokio::sync::mpsc;

use crate::clock::Clock;
use crate::config::Config;
use crate::socket::{
    Door, DoorConfig, DoorStop, Gauge, Handshakes, Plain, Serves, listen, raise_descriptors,
};
use crate::tls::Tls;

/// Where the server listens, before anybody is let in.
pub struct Listeners {
    /// The main one: where it listens.
    pub address: SocketAddr,
    /// That of the API alone, if there is one.
    pub api_address: Option<SocketAddr>,
    /// The certificates in use.
    pub certificates: Vec<Arc<Tls>>,
    doors: Vec<(&'static str, std::net::TcpListener, Option<Arc<Tls>>, Serves)>,
}

/// What connections are handed to.
pub struct Reception {
    /// Judges handshakes.
    pub handshakes: Arc<Handshakes>,
    /// Takes plain requests.
    pub plain: mpsc::Sender<Plain>,
    /// Counts connections.
    pub gauge: Gauge,
    /// What time it is.
    pub clock: Clock,
}

impl Listeners {
    /// Reads the certificates and takes the addresses.
    ///
    /// # Errors
    /// What a user can mend: a certificate that can't be used, an address that is taken.
    pub fn bind(config: &Config) -> anyhow::Result<Self> {
        let tls = config.server.certificate().map(Tls::new).transpose()?.map(Arc::new);
        let listener = listen(config.server.listen, config.connection.keepalive)?;
        let address = listener.local_addr()?;
        let mut certificates: Vec<_> = tls.iter().cloned().collect();
        let serves = if config.server.api.listen.is_some() { Serves::Users } else { Serves::All };
        let mut doors = vec![("door", listener, tls.clone(), serves)];
        let mut api_address = None;
        if let Some(at) = config.server.api.listen {
            let tls = config.server.api_certificate().map(Tls::new).transpose()?.map(Arc::new);
            certificates.extend(tls.clone());
            let listener = listen(at, config.connection.keepalive)?;
            api_address = Some(listener.local_addr()?);
            doors.push(("api-door", listener, tls, Serves::Api));
        }
        Ok(Self { address, api_address, certificates, doors })
    }

    /// Lets connections in, on a thread for each listener.
    ///
    /// # Errors
    /// The system gives no thread or no poll.
    pub fn open(
        self,
        config: &Config,
        reception: &Reception,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> anyhow::Result<Vec<DoorStop>> {
        let max_connections = max_connections(config);
        tracing::info!(max_connections, "open descriptors are raised as far as the system allows");
        let handshake_timeout = config.connection.handshake_timeout;
        let max_handshakes = config.server.tls.max_handshakes;
        let mut stops = vec![];
        for (name, listener, tls, serves) in self.doors {
            let door_config = DoorConfig { max_connections, handshake_timeout, tls, max_handshakes, serves };
            let Reception { handshakes, plain, gauge, clock } = reception;
            let (handshakes, plain) = (Arc::clone(handshakes), plain.clone());
            let (door, stop) =
                Door::new(listener, door_config, handshakes, plain, gauge.clone(), clock.clone())
                    .context("the door can't be made")?;
            let builder = std::thread::Builder::new().name(name.into());
            threads.push(builder.spawn(move || door.run()).context("the door can't be started")?);
            stops.push(stop);
        }
        Ok(stops)
    }
}

/// Connections open at once: as configured, as far as the descriptors that the system gives allow.
pub fn max_connections(config: &Config) -> usize {
    let possible = raise_descriptors().connections;
    match config.server.max_connections {
        0 => possible,
        configured => configured.min(possible),
    }
}
