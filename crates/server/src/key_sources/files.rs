//! Files of keys: read again when they change, so that keys rotate without a restart.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use campanile_auth::{Issuer, Verifier};

use super::remote::take;
use crate::config::{Config, ConfigError};

/// How often files are looked at: a `stat` each.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The files of a configuration, and how each was when it was read last.
pub(super) struct Files {
    config: Config,
    /// Those of `[[auth.keys]]`, which are read together.
    keys: Vec<Watched>,
    /// Those of `[[auth.issuers]]`, with the issuer's index.
    issuers: Vec<(usize, Watched)>,
}

struct Watched {
    path: PathBuf,
    /// `None` at first, so that the first look finds what changed since the start read it.
    seen: Option<Seen>,
}

/// What changes when a file does, also when another is put in its place or a link to it is turned.
#[derive(PartialEq, Eq)]
struct Seen {
    modified: Option<std::time::SystemTime>,
    bytes: u64,
    #[cfg(unix)]
    inode: (u64, u64),
}

impl Files {
    /// `None` where no key is in a file.
    pub(super) fn of(config: &Config) -> Option<Self> {
        let keys: Vec<Watched> =
            config.auth.keys.iter().filter_map(|key| key.file()).map(Watched::new).collect();
        let issuers: Vec<(usize, Watched)> = config
            .auth
            .issuers
            .iter()
            .enumerate()
            .filter_map(|(index, issuer)| Some((index, Watched::new(issuer.file()?))))
            .collect();
        let some = !keys.is_empty() || !issuers.is_empty();
        some.then(|| Self { config: config.clone(), keys, issuers })
    }

    /// Looks at them for ever.
    pub(super) async fn keep(mut self, verifier: Arc<Verifier>) {
        loop {
            let looked = tokio::task::spawn_blocking({
                let verifier = Arc::clone(&verifier);
                move || {
                    self.look(&verifier);
                    self
                }
            });
            match looked.await {
                Ok(files) => self = files,
                Err(error) => {
                    return tracing::error!(%error, "files of keys are not looked at any more; restart this server");
                }
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Reads what has changed. What cannot be read or used leaves the former keys in use.
    fn look(&mut self, verifier: &Verifier) {
        let auth = &self.config.auth;
        // Each is to be looked at, whatever the one before it says.
        if self.keys.iter_mut().filter_map(Watched::has_changed).count() > 0 {
            let read = self.config.auth().and_then(|auth| Ok(Issuer::anyone(&auth)?));
            used("auth.keys", read, verifier);
        }
        for (index, file) in &mut self.issuers {
            if file.has_changed().is_some()
                && let Some(issuer) = auth.issuers.get(*index)
            {
                used(&issuer.name, issuer.read(&auth.claims), verifier);
            }
        }
    }
}

fn used(whose: &str, read: Result<Issuer, ConfigError>, verifier: &Verifier) {
    match read {
        Ok(issuer) => take(issuer, verifier),
        Err(error) => {
            let cause =
                std::error::Error::source(&error).map(|source| format!(": {source}")).unwrap_or_default();
            tracing::warn!(issuer = whose, error = %format!("{error}{cause}"), "a changed file of keys can't be used; the former keys stay in use");
        }
    }
}

impl Watched {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), seen: None }
    }

    /// `Some` if it is not as it was at the last look.
    fn has_changed(&mut self) -> Option<()> {
        let now = see(&self.path);
        let changed = (now != self.seen).then_some(());
        self.seen = now;
        changed
    }
}

/// Follows links: container platforms turn one to the new version of a file.
fn see(path: &Path) -> Option<Seen> {
    let metadata = std::fs::metadata(path).ok()?;
    Some(Seen {
        modified: metadata.modified().ok(),
        bytes: metadata.len(),
        #[cfg(unix)]
        inode: {
            use std::os::unix::fs::MetadataExt;
            (metadata.dev(), metadata.ino())
        },
    })
}
