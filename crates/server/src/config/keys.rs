//! The keys that tokens are verified and signed with, read from where the configuration says.

use std::path::Path;

use campanile_auth::{Algorithm, ClaimNames, KeyConfig, KeySet};

use super::{Auth, Claims, Config, ConfigError, Key, Secret, local_key};

/// Bytes of the shortest secret (RFC 7518 §3.2; the protocol, §7).
pub const MIN_SECRET_BYTES: usize = 32;

impl Config {
    /// What tokens are judged by, with the files of `auth.keys` read. Where neither `CAMPANILE_SECRET` nor `auth.keys`
    /// gives a key and there are no issuers, the key is the local one, which must exist ([`local_key::create`]).
    ///
    /// # Errors
    /// A file that cannot be read, a key with no source or several, a secret that is too short.
    pub fn auth(&self) -> Result<campanile_auth::Config, ConfigError> {
        let Auth { leeway, cache_entries, max_token_bytes, keys, secret, .. } = &self.auth;
        let configured = keys.iter().enumerate().map(|(index, key)| key.read(&format!("auth.keys[{index}]")));
        let own = secret.iter().map(secret_of_environment);
        let mut keys = configured.chain(own).collect::<Result<Vec<_>, _>>()?;
        if self.needs_local_key() {
            keys.push(hs256(local_key::read(&self.server.data)?));
        }
        Ok(campanile_auth::Config {
            keys,
            claims: self.claim_names(),
            leeway_secs: leeway.as_secs(),
            cache_entries: *cache_entries,
            max_token_bytes: *max_token_bytes,
            longest_life_secs: self.tokens.longest_life.map(|longest| longest.as_secs()),
        })
    }

    /// Whose tokens are believed, with every key file read. Keys at a `jwks_url` are not here yet.
    ///
    /// # Errors
    /// Those of [`Config::auth`], and the same of the issuers.
    pub fn key_set(&self) -> Result<KeySet, ConfigError> {
        let issuers = self.auth.issuers.iter().map(|issuer| issuer.read(&self.auth.claims));
        Ok(KeySet::of(&self.auth()?, issuers.collect::<Result<Vec<_>, _>>()?)?)
    }

    /// Which claim of a token says what.
    pub fn claim_names(&self) -> ClaimNames {
        let Claims { user, workspaces, scope } = self.auth.claims.clone();
        ClaimNames { user, workspaces, scope }
    }

    /// The key that tokens are signed with here: `CAMPANILE_SECRET`, else the first secret of `auth.keys`,
    /// else the local key.
    ///
    /// # Errors
    /// Those of [`Config::auth`], and [`ConfigError::CannotSign`] where all keys are public ones.
    pub fn signing_key(&self) -> Result<KeyConfig, ConfigError> {
        if let Some(secret) = &self.auth.secret {
            return secret_of_environment(secret);
        }
        if !self.needs_local_key() {
            let keys = &self.auth.keys;
            let index =
                keys.iter().position(|key| is_shared(key.algorithm)).ok_or(ConfigError::CannotSign)?;
            return keys[index].read(&format!("auth.keys[{index}]"));
        }
        Ok(hs256(local_key::read(&self.server.data)?))
    }

    /// Whether the local key is the only one.
    pub fn needs_local_key(&self) -> bool {
        self.auth.secret.is_none() && self.auth.keys.is_empty() && self.auth.issuers.is_empty()
    }
}

impl Key {
    /// The file that it stands in, if it does.
    pub fn file(&self) -> Option<&Path> {
        self.secret_file.as_deref().or(self.public_key_file.as_deref())
    }

    /// The key itself. `name` is what messages call it.
    fn read(&self, name: &str) -> Result<KeyConfig, ConfigError> {
        let key = KeyConfig { id: self.id.clone(), algorithm: self.algorithm, secret: None, pem: None };
        let shared = is_shared(self.algorithm);
        match (&self.secret, &self.secret_file, &self.public_key_file) {
            (Some(secret), None, None) if shared => {
                Ok(KeyConfig { secret: Some(checked(secret.expose(), name)?), ..key })
            }
            (None, Some(file), None) if shared => {
                Ok(KeyConfig { secret: Some(checked(&read_secret(file, Others::Read)?, name)?), ..key })
            }
            (None, None, Some(file)) if !shared => Ok(KeyConfig { pem: Some(read_text(file)?), ..key }),
            _ => Err(self.wrong_source(name)),
        }
    }

    fn wrong_source(&self, name: &str) -> ConfigError {
        let sources = [
            ("secret", self.secret.is_some()),
            ("secret_file", self.secret_file.is_some()),
            ("public_key_file", self.public_key_file.is_some()),
        ];
        let given: Vec<&str> = sources.iter().filter(|(_, given)| *given).map(|(name, _)| *name).collect();
        ConfigError::KeySource {
            key: name.to_owned(),
            algorithm: self.algorithm,
            wanted: if is_shared(self.algorithm) {
                "exactly one of secret and secret_file"
            } else {
                "public_key_file"
            },
            got: if given.is_empty() { "none".into() } else { given.join(" and ") },
        }
    }
}

fn is_shared(algorithm: Algorithm) -> bool {
    matches!(algorithm, Algorithm::HS256 | Algorithm::HS384 | Algorithm::HS512)
}

fn hs256(secret: String) -> KeyConfig {
    KeyConfig { id: None, algorithm: Algorithm::HS256, secret: Some(secret), pem: None }
}

fn secret_of_environment(secret: &Secret) -> Result<KeyConfig, ConfigError> {
    checked(secret.expose(), super::environment::SECRET).map(hs256)
}

/// A secret that is long enough and no public key.
pub(super) fn checked(secret: &str, what: &str) -> Result<String, ConfigError> {
    if secret.contains("-----BEGIN ") {
        return Err(ConfigError::PemAsSecret { what: what.to_owned() });
    }
    if secret.len() < MIN_SECRET_BYTES {
        return Err(ConfigError::ShortSecret { what: what.to_owned(), got: secret.len() });
    }
    Ok(secret.to_owned())
}

/// Who else may do what with a file that holds a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Others {
    /// Nothing: we made the file ourselves.
    Nothing,
    /// Read it: container platforms mount secrets so, and nothing can be done about it from inside. Warned of.
    Read,
}

/// The text of a file, without one line end at its end.
pub(crate) fn read_secret(path: &Path, others: Others) -> Result<String, ConfigError> {
    let text = read_text(path)?;
    check_mode(path, others)?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

#[cfg(unix)]
fn check_mode(path: &Path, others: Others) -> Result<(), ConfigError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(path)
        .map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?
        .permissions()
        .mode();
    let refused = match others {
        Others::Nothing => 0o077,
        Others::Read => 0o022,
    };
    if mode & refused != 0 {
        return Err(ConfigError::LooseFile { path: path.to_owned(), mode: mode & 0o7777 });
    }
    if mode & 0o004 != 0 {
        let mode = format!("{:04o}", mode & 0o7777);
        tracing::warn!(path = %path.display(), mode, "every user of this machine can read a secret's file");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_mode(_: &Path, _: Others) -> Result<(), ConfigError> {
    Ok(())
}

pub(super) fn read_text(path: &Path) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })
}
