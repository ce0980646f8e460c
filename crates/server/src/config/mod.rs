//! How the server is set up: one struct a section, each with its defaults.
//!
//! Sources, the later winning: the defaults, the file, the environment, the command line. [`Config::load`]
//! merges them and refuses what it does not know; [`environment`] is the one place that reads the
//! environment; [`keys`] reads the key files; [`local_key`] is the key made on first start.

mod auth;
mod connection;
pub mod data_directory;
pub mod duration;
pub mod environment;
mod error;
mod functions;
mod issuers;
mod jwks_url;
pub mod keys;
mod load;
pub mod local_key;
mod log;
mod range;
mod secret;
mod server;
mod shape;
mod store;
mod surfaces;
mod tokens;
mod workspaces;

use serde::{Deserialize, Serialize};

pub use auth::{Auth, Claims, Key};
pub use connection::Connection;
pub use environment::Environment;
pub use error::{ConfigError, Origin};
pub use functions::Functions;
pub use issuers::{Issuer, IssuerClaims};
pub use jwks_url::{JwksUrl, JwksUrlError};
pub use load::Flags;
pub use log::{Format, Log};
pub use secret::Secret;
pub use server::Server;
pub use store::Store;
pub use surfaces::{ProductSurface, SurfaceConfig, Surfaces};
pub use tokens::Tokens;
pub use workspaces::Workspaces;

/// Every option with its default, as a file to start from.
pub const DEFAULT_FILE: &str = include_str!("../../config.default.toml");

/// The effective configuration. Written out, it is a configuration file without its secrets.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The process: where it listens, where it keeps things, how large it may grow.
    pub server: Server,
    /// Whose tokens are believed.
    pub auth: Auth,
    /// Tokens that this server makes, and those that it takes back.
    pub tokens: Tokens,
    /// What every connection is held to.
    pub connection: Connection,
    /// What differs between the surfaces.
    pub surfaces: Surfaces,
    /// Which workspaces there are, and what becomes of their notifications.
    pub workspaces: Workspaces,
    /// JavaScript of the workspaces.
    pub functions: Functions,
    /// The log and the receipts.
    pub store: Store,
    /// What is logged.
    pub log: Log,
}
