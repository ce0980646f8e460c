//! `[[auth.issuers]]`: identity providers whose tokens are believed, each by its own rules.

use std::path::{Path, PathBuf};
use std::time::Duration;

use campanile_auth::{Algorithm, ClaimNames, IssuerConfig, IssuerKeys};
use serde::{Deserialize, Serialize};

use super::jwks_url::JwksUrl;
use super::keys::{Others, read_secret, read_text};
use super::range::within_time;
use super::{Claims, ConfigError, Secret, duration};

/// An issuer, and exactly one source of its keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// What messages and logs call it. Unique.
    pub name: String,
    /// The `iss` of its tokens, compared by bytes. Unique.
    pub issuer: String,
    /// A token's `aud` must hold one of these. Empty: it is not looked at, and whatever the issuer signs for anybody
    /// is believed here. Never left out by accident: the option must be there.
    pub audience: Vec<String>,
    /// The algorithms its keys may be used with.
    pub algorithms: Vec<Algorithm>,
    /// What `typ` of a token's header may be, without regard to case. Default: `JWT`, `at+jwt`.
    #[serde(default = "types")]
    pub types: Vec<String>,
    /// The workspaces of a token without the claim. Default: none.
    #[serde(default)]
    pub default_workspaces: Vec<String>,
    /// What the bearer of a token without the claim may do. Default: nothing.
    #[serde(default)]
    pub default_scope: String,
    /// A secret of at least 32 bytes. Better kept in a file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// A file that holds the secret's text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<PathBuf>,
    /// A PEM file with a public key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_key_file: Option<PathBuf>,
    /// A file with a JSON Web Key Set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_file: Option<PathBuf>,
    /// Where the issuer publishes its key set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jwks_url: Option<JwksUrl>,
    /// How often `jwks_url` is looked at where its answer does not say, 5 minutes to an hour. Default: 10 minutes.
    #[serde(with = "duration::text", default = "refresh")]
    pub jwks_refresh: Duration,
    /// Which claims say what, where that differs from `[auth.claims]`.
    #[serde(default)]
    pub claims: IssuerClaims,
}

/// Names of claims, each as in `[auth.claims]` where it is not given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerClaims {
    /// The user's id: the first of these that the token holds decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<Vec<String>>,
    /// A list of slugs, or one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workspaces: Option<String>,
    /// Words with spaces between, or a list of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

fn types() -> Vec<String> {
    IssuerConfig::TYPES.map(str::to_owned).to_vec()
}

fn refresh() -> Duration {
    Duration::from_secs(10 * 60)
}

impl Issuer {
    /// One with everything set, which shows what may stand in `[[auth.issuers]]`.
    pub(super) fn with_every_option() -> Self {
        let name = || Some(String::new());
        let path = || Some(PathBuf::new());
        Self {
            name: String::new(),
            issuer: String::new(),
            audience: vec![],
            algorithms: vec![],
            types: vec![],
            default_workspaces: vec![],
            default_scope: String::new(),
            secret: Some(Secret::new("")),
            secret_file: path(),
            public_key_file: path(),
            jwks_file: path(),
            jwks_url: Some(JwksUrl::example()),
            jwks_refresh: refresh(),
            claims: IssuerClaims { user: Some(vec![]), workspaces: name(), scope: name() },
        }
    }

    pub(super) fn check(&self, index: usize) -> Result<(), ConfigError> {
        let at = format!("auth.issuers[{index}]");
        within_time("auth.issuers.jwks_refresh", Some(self.jwks_refresh), "5m", "1h")?;
        let given: Vec<&str> =
            self.sources().into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect();
        if given.len() == 1 {
            return Ok(());
        }
        let names = self.sources().map(|(name, _)| name).join(", ");
        let got = if given.is_empty() { "none".to_owned() } else { given.join(" and ") };
        Err(ConfigError::invalid(&at, None, format!("needs exactly one of {names}, and has {got}")))
    }

    fn sources(&self) -> [(&'static str, bool); 5] {
        [
            ("secret", self.secret.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("public_key_file", self.public_key_file.is_some()),
            ("jwks_file", self.jwks_file.is_some()),
            ("jwks_url", self.jwks_url.is_some()),
        ]
    }

    /// The issuer with the keys of its file, if that is where they are. Those of a `jwks_url` are awaited.
    ///
    /// # Errors
    /// A file that cannot be read, or keys that cannot be used.
    pub fn read(&self, common: &Claims) -> Result<campanile_auth::Issuer, ConfigError> {
        let keys = if let Some(secret) = &self.secret {
            IssuerKeys::Secret(secret.expose().to_owned())
        } else if let Some(file) = &self.secret_file {
            IssuerKeys::Secret(read_secret(file, Others::Read)?)
        } else if let Some(file) = &self.public_key_file {
            IssuerKeys::Pem(read_text(file)?)
        } else if let Some(file) = &self.jwks_file {
            IssuerKeys::Jwks(read_text(file)?)
        } else {
            IssuerKeys::Awaited
        };
        Ok(campanile_auth::Issuer::new(&self.rules(common), &keys)?)
    }

    /// The file that its keys stand in, if they do.
    pub fn file(&self) -> Option<&Path> {
        let files = [&self.secret_file, &self.public_key_file, &self.jwks_file];
        files.into_iter().flatten().next().map(PathBuf::as_path)
    }

    fn rules(&self, common: &Claims) -> IssuerConfig {
        let own = self.claims.clone();
        IssuerConfig {
            name: self.name.clone(),
            issuer: self.issuer.clone(),
            audience: self.audience.clone(),
            algorithms: self.algorithms.clone(),
            types: self.types.clone(),
            claims: ClaimNames {
                user: own.user.unwrap_or_else(|| common.user.clone()),
                workspaces: own.workspaces.unwrap_or_else(|| common.workspaces.clone()),
                scope: own.scope.unwrap_or_else(|| common.scope.clone()),
            },
            default_workspaces: self.default_workspaces.clone(),
            default_scope: self.default_scope.clone(),
        }
    }
}
