//! The token that a command shows to the server.

use std::path::PathBuf;
use std::time::Duration;

use campanile_auth::{Grant, Workspaces};
use campanile_model::{Slug, UserId};
use clap::Args;
use hyper::header::HeaderValue;

use super::verify::read_token;
use super::{Failure, token};
use crate::config::{Config, Environment};

/// Where the token comes from: a file, CAMPANILE_TOKEN, or a key that is found here.
#[derive(Debug, Args)]
pub struct BearerArgs {
    /// File with the token [default: CAMPANILE_TOKEN, else one signed with the key found here]
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// A source of tokens.
pub enum Bearer {
    /// A file, read anew each time.
    File(PathBuf),
    /// The environment's, which cannot be renewed.
    Fixed(String),
    /// Signed here.
    Own(Purpose),
}

/// What a token of our own states.
#[derive(Debug, Clone)]
pub struct Purpose {
    /// Who shows it.
    pub user: UserId,
    /// Where; none: in every workspace.
    pub workspace: Option<Slug>,
    /// What for: words with spaces between them; may be empty.
    pub scope: &'static str,
    /// How long.
    pub ttl: Duration,
}

impl BearerArgs {
    /// The source that applies; one of our own serves `purpose`.
    pub fn source(self, environment: &Environment, purpose: Purpose) -> Bearer {
        match (self.token_file, environment.token()) {
            (Some(file), _) => Bearer::File(file),
            (None, Some(token)) => Bearer::Fixed(token.trim().to_owned()),
            (None, None) => Bearer::Own(purpose),
        }
    }
}

impl Bearer {
    /// A token to show now. Only what a token can be made of is let through: it goes into a URL or a header.
    pub fn token(&self, config: &Config) -> Result<String, Failure> {
        let token = match self {
            Self::File(file) => read_token(Some(file))?,
            Self::Fixed(token) => token.clone(),
            Self::Own(purpose) => {
                let longest = config.tokens.longest_life.unwrap_or(purpose.ttl);
                let named = purpose.workspace.iter().map(Slug::as_str).collect();
                let grant = Grant {
                    workspaces: match purpose.workspace {
                        Some(_) => Workspaces::Named(named),
                        None => Workspaces::All { named },
                    },
                    scopes: purpose.scope.split_whitespace().collect(),
                    ..Grant::new(purpose.user.clone(), purpose.ttl.min(longest).as_secs())
                };
                token::sign(config, &grant)?
            }
        };
        let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        if token.is_empty() || !token.bytes().all(is_plain) {
            return Err(Failure::new("the token is not a JWT in compact form"));
        }
        Ok(token)
    }

    /// The token as a header, which is never shown.
    pub fn header(&self, config: &Config) -> Result<HeaderValue, Failure> {
        let mut header = HeaderValue::from_str(&format!("Bearer {}", self.token(config)?))
            .map_err(|error| Failure::caused("the token cannot be sent", &error))?;
        header.set_sensitive(true);
        Ok(header)
    }

    /// Whether asking again may give another token.
    pub fn can_renew(&self) -> bool {
        !matches!(self, Self::Fixed(_))
    }
}
