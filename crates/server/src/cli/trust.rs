//! TLS of the commands that talk to a server: they believe the authorities of this machine, or one they are given.
//! There is no switch to believe everybody.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Bytes to and from a server, with or without TLS.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

/// Whose word counts for who a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that this machine believes.
    Machine,
    /// Those in a PEM file, and no others.
    Authorities(PathBuf),
}

impl Trust {
    /// Begins TLS with the server called `host` on a connection to it.
    ///
    /// # Errors
    /// The authorities can't be read, or the server is not who it should be.
    pub async fn secure(&self, host: &str, stream: TcpStream) -> std::io::Result<Box<dyn Io>> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        let mut config = self.config().map_err(std::io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Box::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
    }

    fn config(&self) -> Result<ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()?;
        let builder = match self {
            Self::Machine => builder.with_platform_verifier()?,
            Self::Authorities(path) => builder.with_root_certificates(authorities(path)?),
        };
        Ok(builder.with_no_client_auth())
    }
}

fn authorities(path: &Path) -> Result<RootCertStore, Box<dyn std::error::Error + Send + Sync>> {
    let wrong = |error: &dyn std::error::Error| format!("{}: {error}", path.display());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
        roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no certificate in PEM", path.display()).into());
    }
    Ok(roots)
}
