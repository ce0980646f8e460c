//! The keys that sign the tokens of service accounts: made here, kept here, replaced in time.
//!
//! `<data>/signing-keys.json` holds the seed of each. The first one signs; those after it verify until the last token
//! that they may have signed has expired.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use campanile_auth::{
    Algorithm, ConfigError, Grant, Issuer, IssuerConfig, IssuerKeys, SEED_BYTES, SigningKey, Verifier, Words,
    Workspaces,
};
use campanile_engine::service_account::{LONGEST_TOKEN_MS, ServiceAccount};
use campanile_model::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::config::{Tokens, keys};
use crate::private_file::{random, write};

/// The file in the data directory.
pub const FILE: &str = "signing-keys.json";
/// Keys at once: each is tried for a token that names none.
pub const MAX_KEYS: usize = 32;
/// A token says of its second at most so much that has yet to come: it is then told from those that were taken back.
const MOST_AHEAD_MS: i64 = 1_000;
/// How long past its end a token may still be taken (`auth.leeway`), and the clock be wrong.
const GRACE_MS: i64 = 60_000;

/// The keys of this server, which its verifier believes.
pub struct SigningKeys {
    path: PathBuf,
    tokens: Tokens,
    /// Our own, without keys.
    issuer: Issuer,
    verifier: Arc<Verifier>,
    keys: Mutex<Vec<Kept>>,
    /// What tokens say at the earliest of when they were issued.
    since: Mutex<Timestamp>,
    /// The latest that a token has said of when it was issued, in milliseconds.
    latest: AtomicI64,
    /// Held while they are changed.
    turn: Mutex<()>,
}

#[derive(Clone)]
struct Kept {
    key: Arc<SigningKey>,
    stored: Stored,
}

/// As it is kept. Never shown.
#[derive(Clone, Serialize, Deserialize)]
struct Stored {
    seed: String,
    created: Timestamp,
    /// Until when it verifies; the one that signs has no end yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Stock {
    keys: Vec<Stored>,
}

/// A token that was made.
pub struct Issued {
    /// The token.
    pub token: String,
    /// How long it is good, in seconds.
    pub life_secs: u64,
}

/// Which key signs, and which still verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The `kid` of the key that signs.
    pub key_id: String,
    /// Since when it does.
    pub created: Timestamp,
    /// Those before it, with the instants until which they verify.
    pub former: Vec<(String, Timestamp)>,
}

/// Why there is no other key.
#[derive(Debug, thiserror::Error)]
pub enum RotateError {
    /// There are as many as there may be.
    #[error("{MAX_KEYS} keys may verify tokens at once, former ones for a day")]
    TooMany,
    /// The file can't be written, or the system has no randomness.
    #[error("the signing keys can't be written: {0}")]
    Io(#[from] io::Error),
}

impl SigningKeys {
    /// Reads the keys in the directory `data`, or makes the first one, and has `verifier` believe them.
    ///
    /// # Errors
    /// A file that can't be read or written, is open to others, or is damaged; an issuer that is configured to be
    /// somebody else.
    pub fn open(
        data: &Path,
        tokens: Tokens,
        verifier: Arc<Verifier>,
        now: Timestamp,
    ) -> anyhow::Result<Self> {
        let path = data.join(FILE);
        if verifier.keys().issuer(&tokens.issuer).is_some() {
            anyhow::bail!("tokens.issuer is the name of another issuer of auth.issuers: it must be our own");
        }
        let kept = read(&path)?;
        let issuer = own_issuer(&tokens)?;
        let since = Mutex::new(Timestamp::from_millis(0));
        let (keys, latest, turn) = Default::default();
        let opened = Self { path, tokens, issuer, verifier, keys, since, latest, turn };
        if kept.is_empty() {
            opened.adopt(vec![Kept::new(now)?]).context("the first signing key can't be kept")?;
        } else {
            opened.believe(&kept);
            *opened.lock() = kept;
            opened.tend(now)?;
        }
        Ok(opened)
    }

    /// A token for `account` that may do `scopes`, which are among its own.
    ///
    /// It says `now` of when it was issued, in whole seconds; or the second after `revoked`, up to which the account's
    /// tokens are taken back, or after anything else was that it could be taken for.
    ///
    /// # Errors
    /// [`WouldBlock`](io::ErrorKind::WouldBlock): what it would have to say lies more than a second ahead, so that whoever
    /// makes and ends accounts in a loop does not take everybody's clock along. Else the system has no randomness
    /// for its id.
    pub fn issue(
        &self,
        account: &ServiceAccount,
        scopes: Words,
        revoked: Option<Timestamp>,
        now: Timestamp,
    ) -> io::Result<Issued> {
        let key = self.lock().first().map(|kept| Arc::clone(&kept.key));
        let key = key.ok_or_else(|| io::Error::other("there is no signing key"))?;
        // After the key: whichever it is, it signs for no second whose tokens were taken back before it came, and for
        // none in which the account was another one.
        let taken_back = account.namesake_deleted.max(revoked);
        let said = taken_back.map_or(now, |up_to| now.max(second_after(up_to))).max(self.since());
        if said.as_millis() - now.as_millis() > MOST_AHEAD_MS {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let now = said;
        self.latest.fetch_max(now.as_millis(), Ordering::SeqCst);
        let life_secs = self.tokens.life.as_secs();
        let grant = Grant {
            workspaces: Workspaces::Named([account.workspace.as_str()].into_iter().collect()),
            scopes,
            token_id: Some(URL_SAFE_NO_PAD.encode(random::<16>()?)),
            issuer: Some(self.tokens.issuer.clone()),
            ..Grant::new(account.user.clone(), life_secs)
        };
        Ok(Issued { token: key.sign(&grant, now), life_secs })
    }

    /// The latest that a token of this process says of when it was issued. It may lie a second ahead.
    pub fn latest(&self) -> Timestamp {
        Timestamp::from_millis(self.latest.load(Ordering::SeqCst))
    }

    /// The `iss` of its tokens.
    pub fn issuer(&self) -> &str {
        &self.tokens.issuer
    }

    /// The public keys, as they are published.
    pub fn jwks(&self) -> serde_json::Value {
        public(&self.lock())
    }

    /// Has another key sign from now on. Former ones verify until their tokens have expired; `forget`: not at all, so
    /// that every token given so far is refused. What was opened with one is to be judged anew then.
    ///
    /// Tokens say in whole seconds when they were issued. So those that are given in the second of a `forget` say the
    /// next one, to be told from those that are taken back.
    ///
    /// # Errors
    /// See [`RotateError`]; nothing has changed then.
    pub fn rotate(&self, forget: bool, now: Timestamp) -> Result<Rotated, RotateError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mut former = if forget { Vec::new() } else { self.verifying(now) };
        if former.len() >= MAX_KEYS {
            return Err(RotateError::TooMany);
        }
        let until = Timestamp::from_millis(now.as_millis().saturating_add(LONGEST_TOKEN_MS + GRACE_MS));
        for kept in &mut former {
            kept.stored.until.get_or_insert(until);
        }
        former.insert(0, Kept::new(now)?);
        if forget {
            let up_to = now.max(self.since());
            *self.since.lock().unwrap_or_else(PoisonError::into_inner) = second_after(up_to);
            self.adopt(former)?;
            self.verifier.revoked().take_back(&self.tokens.issuer, up_to);
        } else {
            self.adopt(former)?;
        }
        let rotated = self.shown();
        tracing::info!(key = rotated.key_id, former = rotated.former.len(), "another key signs tokens");
        Ok(rotated)
    }

    /// Rotates if it is time to, and forgets keys whose tokens have all expired.
    ///
    /// # Errors
    /// As of [`rotate`](Self::rotate).
    pub fn tend(&self, now: Timestamp) -> Result<(), RotateError> {
        let age = self.lock().first().map_or(0, |kept| now.as_millis() - kept.stored.created.as_millis());
        let rotation =
            self.tokens.key_rotation.map(|every| i64::try_from(every.as_millis()).unwrap_or(i64::MAX));
        if rotation.is_some_and(|every| age >= every) {
            return self.rotate(false, now).map(drop);
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let verifying = self.verifying(now);
        if verifying.len() < self.lock().len() { Ok(self.adopt(verifying)?) } else { Ok(()) }
    }

    /// Those that have not ended.
    fn verifying(&self, now: Timestamp) -> Vec<Kept> {
        self.lock().iter().filter(|kept| kept.verifies(now)).cloned().collect()
    }

    /// Writes them down first, then believes them, then signs with the first.
    fn adopt(&self, keys: Vec<Kept>) -> io::Result<()> {
        let stock = Stock { keys: keys.iter().map(|kept| kept.stored.clone()).collect() };
        write(&self.path, &serde_json::to_string(&stock)?)?;
        self.believe(&keys);
        *self.lock() = keys;
        Ok(())
    }

    fn believe(&self, keys: &[Kept]) {
        match self.issuer.with_jwks(&public(keys).to_string()) {
            Ok(issuer) => self.verifier.revise(|keys| keys.with(issuer.clone())),
            Err(error) => tracing::error!(%error, "the server's own keys can't be used"),
        }
    }

    fn shown(&self) -> Rotated {
        let keys = self.lock();
        let id = |kept: &Kept| kept.key.id().to_owned();
        let (key_id, created) = keys
            .first()
            .map(|kept| (id(kept), kept.stored.created))
            .unwrap_or((String::new(), Timestamp::from_millis(0)));
        let former = keys.iter().skip(1).filter_map(|kept| Some((id(kept), kept.stored.until?))).collect();
        Rotated { key_id, created, former }
    }

    fn since(&self) -> Timestamp {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The server that `tokens` configures as an issuer, with the keys of its data directory that verify at `now`; with
/// none where it never ran. For whoever only judges tokens: nothing is made or changed.
///
/// # Errors
/// A file that can't be read, is open to others, or is damaged.
pub fn believed(data: &Path, tokens: &Tokens, now: Timestamp) -> anyhow::Result<Issuer> {
    let mut kept = read(&data.join(FILE))?;
    kept.retain(|kept| kept.verifies(now));
    Ok(own_issuer(tokens)?.with_jwks(&public(&kept).to_string())?)
}

/// Our own, without keys.
///
/// # Errors
/// An `iss` that can't be one.
pub fn own_issuer(tokens: &Tokens) -> Result<Issuer, ConfigError> {
    let own = IssuerConfig::new("service accounts", &tokens.issuer, &[], &[Algorithm::EdDSA]);
    Issuer::new(&own, &IssuerKeys::Awaited)
}

/// The keys in a file; none where there is no file.
fn read(path: &Path) -> anyhow::Result<Vec<Kept>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    // The parser's words may quote what it read.
    let damaged = || format!("{} is damaged", path.display());
    let text = keys::read_secret(path, keys::Others::Nothing)?;
    let stock = serde_json::from_str::<Stock>(&text).ok().with_context(damaged)?;
    stock.keys.into_iter().map(Kept::read).collect::<Option<Vec<_>>>().with_context(damaged)
}

fn public(keys: &[Kept]) -> serde_json::Value {
    json!({ "keys": keys.iter().map(|kept| kept.key.public_jwk()).collect::<Vec<_>>() })
}

fn second_after(at: Timestamp) -> Timestamp {
    Timestamp::from_millis((at.as_secs() + 1) * 1_000)
}

/// Shows ids only.
impl fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lock().iter().map(|kept| kept.key.id().to_owned())).finish()
    }
}

impl Kept {
    fn new(now: Timestamp) -> io::Result<Self> {
        let seed = URL_SAFE_NO_PAD.encode(random::<SEED_BYTES>()?);
        Self::read(Stored { seed, created: now, until: None })
            .ok_or_else(|| io::Error::other("no usable seed"))
    }

    fn verifies(&self, now: Timestamp) -> bool {
        self.stored.until.is_none_or(|until| until > now)
    }

    fn read(stored: Stored) -> Option<Self> {
        let seed = URL_SAFE_NO_PAD.decode(&stored.seed).ok()?.try_into().ok()?;
        Some(Self { key: Arc::new(SigningKey::from_seed(&seed).ok()?), stored })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use campanile_auth::{Config, KeyConfig, KeySet};
    use campanile_model::{Slug, UserId};

    use super::*;

    fn verifier() -> Arc<Verifier> {
        let secret = Some("s".repeat(32));
        let key = KeyConfig { id: None, algorithm: Algorithm::HS256, secret, pem: None };
        let config = Config { keys: vec![key], ..Config::default() };
        Arc::new(Verifier::new(KeySet::new(&config).unwrap(), &config))
    }

    fn open(data: &Path, now: Timestamp) -> SigningKeys {
        SigningKeys::open(data, Tokens::default(), verifier(), now).unwrap()
    }

    fn account() -> ServiceAccount {
        let user = UserId::new("service:acme.bot").unwrap();
        ServiceAccount {
            name: "bot".into(),
            client_id: "acme.bot".into(),
            workspace: Slug::new("acme").unwrap(),
            scopes: vec![],
            description: None,
            created: at(0),
            by: user.clone(),
            user,
            rotated: at(0),
            former_until: None,
            namesake_deleted: None,
        }
    }

    fn at(hours: u64) -> Timestamp {
        Timestamp::from_millis(1_767_225_600_000 + i64::try_from(hours * 3_600_000).unwrap())
    }

    #[test]
    fn kept_for_the_owner_only_and_read_again() {
        let dir = tempfile::tempdir().unwrap();
        let first = open(dir.path(), at(0)).jwks();
        assert_eq!(open(dir.path(), at(1)).jwks(), first);
        let file = dir.path().join(FILE);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "no draft is left behind");
        std::fs::write(&file, "{\"keys\":[{\"seed\":\"AAAA\"").unwrap();
        let error = SigningKeys::open(dir.path(), Tokens::default(), verifier(), at(1)).unwrap_err();
        assert!(!format!("{error:#}").contains("AAAA"), "{error:#}");
    }

    #[test]
    fn former_keys_verify_for_a_day() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), at(0));
        let count = |keys: &SigningKeys| keys.jwks()["keys"].as_array().unwrap().len();
        let rotated = keys.rotate(false, at(1)).unwrap();
        assert_eq!((rotated.former.len(), count(&keys)), (1, 2));
        assert_eq!(keys.jwks()["keys"][0]["kid"], rotated.key_id);
        keys.tend(at(25)).unwrap();
        assert_eq!(count(&keys), 2);
        keys.tend(at(26)).unwrap();
        assert_eq!((count(&keys), count(&open(dir.path(), at(26)))), (1, 1));
        keys.rotate(true, at(27)).unwrap();
        assert_eq!(count(&keys), 1, "forgotten at once");
    }

    #[test]
    fn what_is_forgotten_is_taken_back_and_nothing_after_it() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), at(0));
        let now = Timestamp::from_millis(at(1).as_millis() + 300);
        let account = account();
        let issue = |now| keys.issue(&account, Words::default(), None, now).unwrap().token;
        let is_good = |token: &str, now| keys.verifier.verify(token, now).is_ok();
        let (first, others) = (issue(now), keys.verifier.verify(&issue(now), now).unwrap());
        keys.rotate(true, now).unwrap();
        assert!(!is_good(&first, now) && keys.verifier.is_good(&others, now).is_err());
        // In the same second, twice.
        let second = issue(now);
        assert!(is_good(&second, now));
        let opened = keys.verifier.verify(&second, now).unwrap();
        keys.rotate(true, now).unwrap();
        assert!(keys.verifier.is_good(&opened, now).is_err(), "given between the two");
        // A third one would say a second that is too far ahead.
        let third = keys.issue(&account, Words::default(), None, now).map(|issued| issued.token);
        assert_eq!(third.unwrap_err().kind(), io::ErrorKind::WouldBlock);
        let (third, now) = (issue(at(2)), at(2));
        assert!(is_good(&third, now) && keys.verifier.is_good(&opened, now).is_err());
    }

    #[test]
    fn what_is_issued_after_a_revocation_is_told_from_what_it_means() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(dir.path(), at(0));
        let now = Timestamp::from_millis(at(1).as_millis() + 300);
        let issued = |revoked| {
            let token = keys.issue(&account(), Words::default(), revoked, now).unwrap().token;
            keys.verifier.verify(&token, now).unwrap().issued_at.unwrap()
        };
        assert_eq!(issued(None), at(1));
        assert_eq!(issued(Some(at(0))), at(1), "long ago");
        let ahead = second_after(now);
        assert_eq!((issued(Some(now)), keys.latest()), (ahead, ahead));
        assert_eq!(issued(None), at(1));
        assert_eq!(keys.latest(), ahead, "a token that says it is about");
    }

    #[test]
    fn believed_without_a_server() {
        let dir = tempfile::tempdir().unwrap();
        let count = |now| believed(dir.path(), &Tokens::default(), now).unwrap().keys();
        assert_eq!(count(at(0)), 0);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "none is made");
        open(dir.path(), at(0)).rotate(false, at(1)).unwrap();
        assert_eq!((count(at(1)), count(at(26))), (2, 1));
    }

    #[test]
    fn rotates_by_itself_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens { key_rotation: Some(Duration::from_secs(7_200)), ..Tokens::default() };
        let keys = SigningKeys::open(dir.path(), tokens, verifier(), at(0)).unwrap();
        keys.tend(at(1)).unwrap();
        let first = keys.shown().key_id;
        keys.tend(at(2)).unwrap();
        assert_ne!(keys.shown().key_id, first);
        let there = keys.lock().len();
        for _ in there..MAX_KEYS {
            keys.rotate(false, at(2)).unwrap();
        }
        assert!(matches!(keys.rotate(false, at(2)), Err(RotateError::TooMany)));
    }
}
