//! Where keys come from while the server runs: key sets that issuers publish, and files that change.
//!
//! [`fetch`] makes one request, `remote` decides when one is made and what becomes of its answer, `files` looks
//! after files. Nothing in a token says where keys are: it may at most be the reason to look, sooner, at the one
//! address that the configuration has for its issuer.

pub mod fetch;
mod files;
mod remote;

use std::sync::Arc;
use std::time::Duration;

use campanile_auth::Verifier;
use tokio::task::JoinHandle;

use self::fetch::Fetcher;
use self::files::Files;
use self::remote::{Asked, Remote};
use crate::clock::Clock;
use crate::config::Config;

pub use self::remote::Status;

/// How long a caller waits for a key that may be on its way (the protocol, §2).
const PATIENCE: Duration = Duration::from_secs(2);

/// The issuers whose keys are fetched.
pub struct KeySources {
    verifier: Arc<Verifier>,
    clock: Clock,
    remotes: Vec<Arc<Remote>>,
}

impl KeySources {
    /// No source: the keys of `verifier` stay as they are.
    pub fn none(verifier: Arc<Verifier>, clock: Clock) -> Self {
        Self { verifier, clock, remotes: vec![] }
    }

    /// Begins to fetch and to look after files, for as long as the tasks are not ended. The first fetch is under way
    /// when this returns; nothing waits for it but tokens that need its keys.
    ///
    /// # Errors
    /// Where the system's root certificates cannot be used.
    pub fn start(
        config: &Config,
        verifier: &Arc<Verifier>,
        clock: &Clock,
        tasks: &mut Vec<JoinHandle<()>>,
    ) -> anyhow::Result<Self> {
        let mut sources = Self::none(Arc::clone(verifier), clock.clone());
        let mut fetcher = None;
        for issuer in &config.auth.issuers {
            let Some(url) = &issuer.jwks_url else { continue };
            let fetcher = match &fetcher {
                Some(fetcher) => Fetcher::clone(fetcher),
                None => fetcher.insert(Fetcher::new()?).clone(),
            };
            let awaited = issuer.read(&config.auth.claims)?;
            let remote = Remote::new(&issuer.issuer, awaited, url.clone(), issuer.jwks_refresh);
            let remote = Arc::new(remote);
            remote.ask(clock.monotonic());
            tasks.push(tokio::spawn(Arc::clone(&remote).keep(fetcher, Arc::clone(verifier), clock.clone())));
            sources.remotes.push(remote);
        }
        if let Some(files) = Files::of(config) {
            tasks.push(tokio::spawn(files.keep(Arc::clone(verifier))));
        }
        Ok(sources)
    }

    /// Whether a token that was refused may be good in a moment: its issuer publishes keys, the one it names is not
    /// among those that are known, and a fetch is under way or allowed now.
    pub fn may_bring(&self, token: &str) -> bool {
        self.remote_of(token).is_some_and(|remote| remote.may_come(self.clock.monotonic()))
    }

    /// Waits for the keys that a refused token may need, at most two seconds. Whether any have come: if so, the token
    /// is worth another look.
    ///
    /// However many callers wait, and for however many keys, they wait for the same one fetch.
    pub async fn bring(&self, token: &str) -> bool {
        let Some(remote) = self.remote_of(token) else { return false };
        // Before the question, so that no end is missed.
        let mut ends = remote.ends();
        match remote.ask(self.clock.monotonic()) {
            Asked::TooSoon => false,
            Asked::Begun | Asked::UnderWay => {
                tokio::time::timeout(PATIENCE, ends.changed()).await.is_ok_and(|changed| changed.is_ok())
            }
        }
    }

    /// How each source is.
    pub fn status(&self) -> Vec<Status> {
        self.remotes.iter().map(|remote| remote.status()).collect()
    }

    fn remote_of(&self, token: &str) -> Option<&Arc<Remote>> {
        // Most servers have none: then a refused token is not read again.
        if self.remotes.is_empty() {
            return None;
        }
        let iss = self.verifier.lacks_key_of(token)?;
        self.remotes.iter().find(|remote| remote.iss() == &*iss)
    }
}
