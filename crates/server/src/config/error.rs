//! Why a configuration is refused. No variant holds a secret.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The configuration file.
    File(PathBuf),
    /// This environment variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// Why a configuration is refused. [`ConfigError::hint`] says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that was named cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is not TOML. The line itself is not shown: it may hold a secret.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// Which file.
        path: PathBuf,
        /// Where, from 1.
        line: usize,
        /// What the parser said.
        message: String,
    },
    /// There is no such option.
    #[error("{origin}: there is no option {key}")]
    UnknownKey {
        /// As it was written, with its section.
        key: String,
        /// Where it was written.
        origin: Origin,
        /// What was probably meant.
        nearest: Option<String>,
        /// What there is in that place.
        known: Vec<String>,
    },
    /// An option's value is not one it can have.
    #[error("{}", invalid(key, got.as_deref(), problem, origin.as_ref()))]
    Invalid {
        /// The option, with its section.
        key: String,
        /// The value in TOML, where it is not secret.
        got: Option<String>,
        /// What it must be.
        problem: String,
        /// Where it was written, once known.
        origin: Option<Origin>,
    },
    /// A variable that begins with `CAMPANILE_` is not Unicode.
    #[error("the value of {0} is not Unicode text")]
    NotUnicode(String),
    /// A variable that was probably meant to be one of ours.
    #[error("there is no variable {name}")]
    UnknownVariable {
        /// As it was written.
        name: String,
        /// What was probably meant.
        nearest: String,
    },
    /// A key has no source, two, or one that does not fit its algorithm.
    #[error("{key} ({algorithm}) needs {wanted}, and has {got}")]
    KeySource {
        /// Which key.
        key: String,
        /// Its algorithm.
        algorithm: campanile_auth::Algorithm,
        /// What it may have.
        wanted: &'static str,
        /// What it has.
        got: String,
    },
    /// A secret that can be guessed.
    #[error("the secret of {what} has {got} bytes, at least {} are needed", super::keys::MIN_SECRET_BYTES)]
    ShortSecret {
        /// Whose.
        what: String,
        /// Its length.
        got: usize,
    },
    /// A public key where a secret belongs.
    #[error("the secret of {what} is the text of a PEM key")]
    PemAsSecret {
        /// Whose.
        what: String,
    },
    /// Others than the owner may read the local key, or write a secret's file.
    #[error("{} is open to others (mode {mode:04o})", path.display())]
    LooseFile {
        /// Which.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is no local key yet.
    #[error("there is no key at {}", .0.display())]
    NoLocalKey(PathBuf),
    /// The data directory or a file in it cannot be made.
    #[error("cannot create {}", path.display())]
    Uncreatable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// No key here can sign: all are public ones.
    #[error("the configured keys can verify tokens, and none of them can sign one")]
    CannotSign,
    /// Others could read along.
    #[error(
        "{key} = {listen} is reached from other machines, and there is no TLS: tokens would travel in the clear"
    )]
    Plaintext {
        /// Which option says so.
        key: &'static str,
        /// Where.
        listen: SocketAddr,
    },
    /// What the keys themselves are refused for.
    #[error(transparent)]
    Auth(#[from] campanile_auth::ConfigError),
}

impl ConfigError {
    pub(super) fn invalid(key: &str, got: Option<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { key: key.into(), got, problem: problem.into(), origin: None }
    }

    /// What to do about it, in one sentence.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnknownKey { nearest: Some(nearest), .. } => format!("did you mean {nearest}?"),
            Self::UnknownKey { known, .. } => format!("known here: {}", known.join(", ")),
            Self::UnknownVariable { nearest, .. } => format!("did you mean {nearest}?"),
            Self::Syntax { .. } | Self::Invalid { .. } => {
                "`campanile check --defaults` shows every option with its range".into()
            }
            Self::ShortSecret { .. } => "`openssl rand -hex 32` makes a good one".into(),
            Self::PemAsSecret { .. } => {
                "give public_key_file instead, and the algorithm the key was made for".into()
            }
            Self::LooseFile { path, .. } => format!("run `chmod 600 {}`", path.display()),
            Self::NoLocalKey(_) => {
                "start `campanile serve` once to make it, name its directory with --data, \
                                    or set CAMPANILE_SECRET"
                    .into()
            }
            Self::CannotSign => "take a token from whoever holds the private key (CAMPANILE_TOKEN), or set \
                                 CAMPANILE_SECRET here and where the server runs"
                .into(),
            Self::Plaintext { .. } => {
                "give a certificate in [server.tls], or listen on 127.0.0.1 behind a proxy that speaks \
                                       TLS; server.allow_plaintext = true is for a network that only such a proxy can reach"
                    .into()
            }
            Self::Unreadable { .. } | Self::Uncreatable { .. } | Self::KeySource { .. } => return None,
            Self::NotUnicode(_) | Self::Auth(_) => return None,
        })
    }
}

/// Where, what, and what instead: `campanile.toml: store.readers = 0: must be 1 to 64`.
fn invalid(key: &str, got: Option<&str>, problem: &str, origin: Option<&Origin>) -> String {
    let origin = origin.map(|origin| format!("{origin}: ")).unwrap_or_default();
    let got = got.map(|got| format!(" = {got}")).unwrap_or_default();
    format!("{origin}{key}{got}: {problem}")
}
