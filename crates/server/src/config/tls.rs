//! `[server.tls]`: the certificate.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::keys::{Others, read_secret};
use super::range::within;

/// The certificate that clients are shown. Both files, or neither: then there is no TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM: the certificate, then what stands between it and its authority. Default: none.
    pub cert_file: PathBuf,
    /// PEM: its private key. Default: none.
    pub key_file: PathBuf,
    /// Handshakes under way at each address, 1 to 65,536. Above, the one that has lasted longest is cut off if that is
    /// more than a second, and else the newcomer. Default: 1,024, which may hold 70 MB (decision 14).
    pub max_handshakes: usize,
}

impl Default for Tls {
    fn default() -> Self {
        Self { cert_file: PathBuf::new(), key_file: PathBuf::new(), max_handshakes: 1_024 }
    }
}

impl Tls {
    /// Whether TLS is spoken.
    pub fn is_on(&self) -> bool {
        !self.cert_file.as_os_str().is_empty()
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("server.tls.max_handshakes", self.max_handshakes, 1..=65_536)?;
        if self.is_on() != self.key_file.as_os_str().is_empty() {
            return Ok(());
        }
        let missing = if self.is_on() { "server.tls.key_file" } else { "server.tls.cert_file" };
        Err(ConfigError::invalid(missing, None, "must be given with the other file of [server.tls]"))
    }
}

/// The text of a private key's file, which others may not write.
///
/// # Errors
/// It can't be read, or others could replace it.
pub fn read_private_key(path: &Path) -> Result<String, ConfigError> {
    read_secret(path, Others::Read)
}
