//! Certificates and keys, read from the operator's files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use rustls::{InconsistentKeys, RootCertStore};

use crate::config::{ConfigError, read_private_key};

/// Where a listener's certificate is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// The certificate and whatever stands between it and its authority, in this order (PEM).
    pub cert: PathBuf,
    /// Its private key (PEM: PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// Authorities one of which must have signed a client's certificate (PEM). `None`: clients need none.
    pub client_ca: Option<PathBuf>,
}

/// Why a certificate can't be used. No variant holds a part of a key.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file can't be read, or others could write the key.
    #[error(transparent)]
    File(#[from] ConfigError),
    /// A file holds nothing of its kind.
    #[error("{} holds no {wanted} in PEM", path.display())]
    NoPem {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        wanted: &'static str,
    },
    /// The two files do not belong together.
    #[error("the key in {} is not that of the first certificate in {}", key.display(), cert.display())]
    Mismatch {
        /// The certificate's file.
        cert: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The library refuses them.
    #[error("the certificate in {} can't be used", cert.display())]
    Unfit {
        /// The certificate's file.
        cert: PathBuf,
        /// Why.
        source: rustls::Error,
    },
    /// No client could be verified.
    #[error("the authorities in {} can't be used", path.display())]
    ClientCa {
        /// Their file.
        path: PathBuf,
        /// Why.
        source: VerifierBuilderError,
    },
}

/// What tells a file from its successor.
pub(super) type Stamp = Option<(SystemTime, u64)>;

impl Files {
    /// The certificate with its chain, and its key.
    pub(super) fn identity(
        &self,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), TlsError> {
        let chain = certificates(&self.cert)?;
        let text = read_private_key(&self.key)?;
        let key = PrivateKeyDer::from_pem_slice(text.as_bytes())
            .map_err(|_| TlsError::NoPem { path: self.key.clone(), wanted: "private key" })?;
        Ok((chain, key))
    }

    /// Who judges the certificates of clients.
    pub(super) fn clients(
        &self,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Arc<dyn ClientCertVerifier>, TlsError> {
        let Some(path) = &self.client_ca else { return Ok(WebPkiClientVerifier::no_client_auth()) };
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|source| TlsError::Unfit { cert: path.clone(), source })?;
        }
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
            .build()
            .map_err(|source| TlsError::ClientCa { path: path.clone(), source })
    }

    /// The library's refusal, in words that name the files.
    pub(super) fn refused(&self, source: rustls::Error) -> TlsError {
        match source {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                TlsError::Mismatch { cert: self.cert.clone(), key: self.key.clone() }
            }
            source => TlsError::Unfit { cert: self.cert.clone(), source },
        }
    }

    /// Changes whenever a file does. Follows links, so a directory that is swapped as a whole is seen too.
    pub(super) fn stamps(&self) -> [Stamp; 3] {
        let stamp = |path: &Path| {
            let metadata = std::fs::metadata(path).ok()?;
            Some((metadata.modified().ok()?, metadata.len()))
        };
        [stamp(&self.cert), stamp(&self.key), self.client_ca.as_deref().and_then(stamp)]
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text =
        std::fs::read(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(TlsError::NoPem { path: path.to_owned(), wanted: "certificate" }),
    }
}
