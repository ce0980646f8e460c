//! TLS of the listeners: [`Tls`] holds what new connections get, [`Session`] is one of them, [`Files`] says where
//! certificates are.

mod files;
mod session;

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::{NoServerSessionStorage, ProducesTickets};
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, ServerConnection};

pub use files::{Files, TlsError};
pub use session::{Flushed, SLICES, Session};

use files::Stamp;

/// What is agreed on beside TLS. Others are not spoken.
const ALPN: &[u8] = b"http/1.1";

/// What a listener shows to new connections: TLS 1.3 and 1.2, as rustls allows them. Replaced as a whole; a
/// connection keeps what it began with.
pub struct Tls {
    files: Files,
    provider: Arc<CryptoProvider>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    current: ArcSwap<ServerConfig>,
    seen: Mutex<[Stamp; 3]>,
}

impl Tls {
    /// Reads the files. Who comes back may resume within hours, by a ticket of its own and without anything being
    /// remembered here; not where clients show certificates, which are to be judged each time.
    ///
    /// # Errors
    /// See [`TlsError`].
    pub fn new(files: Files) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let tickets = match files.client_ca {
            Some(_) => None,
            None => Some(aws_lc_rs::Ticketer::new().map_err(|source| files.refused(source))?),
        };
        let seen = Mutex::new(files.stamps());
        let current = ArcSwap::from_pointee(read(&files, &provider, tickets.as_ref())?);
        Ok(Self { files, provider, tickets, current, seen })
    }

    /// A session for a connection that was just accepted.
    ///
    /// # Errors
    /// The library's; none are known for a configuration that was taken.
    pub fn session(&self) -> Result<Session, rustls::Error> {
        ServerConnection::new(self.current.load_full()).map(Session::new)
    }

    /// Reads the files again. Where they can't be used, the former ones stay.
    pub fn reload(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        // Before reading: what changes meanwhile is seen by the next look.
        *seen = self.files.stamps();
        self.replace();
    }

    /// The same, if they are not those that were looked at last.
    pub fn reload_if_changed(&self) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let stamps = self.files.stamps();
        if *seen != stamps {
            *seen = stamps;
            self.replace();
        }
    }

    fn replace(&self) {
        let cert = self.files.cert.display();
        match read(&self.files, &self.provider, self.tickets.as_ref()) {
            Ok(config) => {
                self.current.store(Arc::new(config));
                tracing::info!(%cert, "the certificate was read again; new connections get it");
            }
            Err(error) => {
                let error: &dyn std::error::Error = &error;
                tracing::error!(%cert, error, "the certificate can't be read again; the former one stays in use");
            }
        }
    }
}

fn read(
    files: &Files,
    provider: &Arc<CryptoProvider>,
    tickets: Option<&Arc<dyn ProducesTickets>>,
) -> Result<ServerConfig, TlsError> {
    let (chain, key) = files.identity()?;
    let mut config = ServerConfig::builder_with_provider(Arc::clone(provider))
        .with_protocol_versions(&[&TLS13, &TLS12])
        .map_err(|source| files.refused(source))?
        .with_client_cert_verifier(files.clients(provider)?)
        .with_single_cert(chain, key)
        .map_err(|source| files.refused(source))?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Tickets hold their state themselves, so nothing is remembered for whoever never comes back.
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = usize::from(tickets.is_some());
    if let Some(tickets) = tickets {
        config.ticketer = Arc::clone(tickets);
    }
    Ok(config)
}
