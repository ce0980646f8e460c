//! Whether a request's user has had their access to the workspace taken away: asked on every request, so remembered.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use campanile_model::{Slug, UserId};
use campanile_store::{DocumentKind, document};

use super::Kept;
use crate::page;
use crate::{Engine, EngineError};

/// Users remembered: some 10 MB. Above, all are forgotten; each is one small read again.
const CAPACITY: usize = 65_536;

/// What is known of who was decided on.
#[derive(Default)]
pub struct Judged(RwLock<Known>);

#[derive(Default)]
struct Known {
    users: HashMap<(Slug, UserId), bool>,
    /// Counts what was forgotten, so that nothing read before a decision is kept after it.
    changes: u64,
}

impl Judged {
    fn known(&self, key: &(Slug, UserId)) -> (Option<bool>, u64) {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (known.users.get(key).copied(), known.changes)
    }

    fn keep(&self, key: (Slug, UserId), withdrawn: bool, changes: u64) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.changes != changes {
            return;
        }
        if known.users.len() >= CAPACITY {
            known.users.clear();
        }
        known.users.insert(key, withdrawn);
    }

    /// Something was decided, or may have been: call it once that was committed.
    pub(super) fn forget(&self, workspace: &Slug, user: &UserId) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        known.changes += 1;
        known.users.remove(&(workspace.clone(), user.clone()));
    }
}

/// Whether `user` was [denied](super::withdraw) `workspace`, whatever their token says.
///
/// # Errors
/// Those of the store.
pub async fn is_withdrawn(engine: &Engine, workspace: &Slug, user: &UserId) -> Result<bool, EngineError> {
    let key = (workspace.clone(), user.clone());
    let changes = match engine.judged.known(&key) {
        (Some(withdrawn), _) => return Ok(withdrawn),
        (None, changes) => changes,
    };
    let found = document(&*engine.store, workspace, DocumentKind::Access, user.as_str()).await?;
    let withdrawn = match &found {
        Some(document) => !page::body::<Kept>(document)?.granted,
        None => false,
    };
    engine.judged.keep(key, withdrawn, changes);
    Ok(withdrawn)
}
