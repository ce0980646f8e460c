//! That no token is made of a service account while it is being deleted.
//!
//! A deletion refuses the tokens that say its second or an earlier one. So none may say a later one and be made of what
//! the store showed before: whoever makes a token looks at the clock and the account while no deletion is under way, and
//! a deletion looks at the clock once no token is.

use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Workspaces whose deletions keep nobody else's tokens waiting, by chance.
const LOCKS: usize = 64;

/// Who makes tokens of a workspace's accounts, and who ends them.
pub struct Issuing([RwLock<()>; LOCKS]);

impl Default for Issuing {
    fn default() -> Self {
        Self(std::array::from_fn(|_| RwLock::default()))
    }
}

impl Issuing {
    /// To be held from before the clock is read until a token is signed.
    pub async fn makes(&self, client_id: &str) -> RwLockReadGuard<'_, ()> {
        // Behind the dot is the account's name.
        self.of(client_id.split_once('.').map_or(client_id, |(workspace, _)| workspace)).read().await
    }

    /// To be held from before the clock is read until the account's tokens, or its secret, are refused.
    pub async fn ends(&self, workspace: &str) -> RwLockWriteGuard<'_, ()> {
        self.of(workspace).write().await
    }

    fn of(&self, workspace: &str) -> &RwLock<()> {
        let mut hasher = DefaultHasher::new();
        workspace.hash(&mut hasher);
        &self.0[usize::try_from(hasher.finish() % LOCKS as u64).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_token_and_a_deletion_keep_each_other_waiting_within_a_workspace() {
        let issuing = Issuing::default();
        let made = (issuing.makes("acme.bot").await, issuing.makes("acme.other").await);
        assert!(issuing.of("acme").try_write().is_err());
        drop(made);
        let _ended = issuing.ends("acme").await;
        assert!(issuing.of("acme").try_read().is_err());
        let others = (0..100).filter(|n| issuing.of(&format!("w{n}")).try_read().is_ok()).count();
        assert!(others > 80, "{others}");
    }
}
