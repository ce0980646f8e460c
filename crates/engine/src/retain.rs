//! What goes: entries that retention no longer covers.

use campanile_model::Timestamp;
use campanile_store::{Retention, Store, StoreError};

use crate::Config;

/// Rows removed in one write, so that publishing is never kept waiting by it.
const STEP: usize = 500;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// Removes whatever `config` no longer covers from every workspace, a bounded step at a time; returns how
/// many rows went: one of the entry and one for each user it names, or a receipt. A workspace that fails is
/// logged and left for the next round; the others go on.
///
/// # Errors
/// Those of the store if not even its workspaces can be listed.
///
/// # Cancel safety
/// Each step stands on its own: a dropped round has removed a shorter prefix.
pub async fn retain_once(store: &dyn Store, config: &Config, now: Timestamp) -> Result<usize, StoreError> {
    let keep = retention(config);
    if keep.max_age_ms.is_none() && keep.max_entries.is_none() {
        return Ok(0);
    }
    let mut total = 0;
    for head in store.heads().await? {
        loop {
            match store.prune(&head.workspace, keep, STEP, now).await {
                Ok(0) => break,
                Ok(removed) => total += removed,
                Err(error) => {
                    tracing::warn!(workspace = %head.workspace, %error, "old entries could not be removed");
                    break;
                }
            }
            tokio::task::yield_now().await;
        }
    }
    Ok(total)
}

fn retention(config: &Config) -> Retention {
    Retention {
        max_age_ms: (config.retention_days > 0).then(|| i64::from(config.retention_days) * DAY_MS),
        max_entries: (config.retention_entries > 0).then_some(config.retention_entries),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use campanile_model::{Audience, Level, Notification, NotificationId, Slug};
    use campanile_store::{Epochs, MemoryStore, Write};

    use super::*;

    fn notification(n: usize, at: Timestamp) -> Arc<Notification> {
        Arc::new(Notification {
            id: NotificationId::parse(&format!("00000000-0000-7000-8000-{n:012}")).unwrap(),
            audience: Audience::Workspace,
            except: vec![],
            title: "T".into(),
            message: String::new(),
            kind: "info".into(),
            level: Level::Info,
            timestamp: at,
            metadata: None,
            event: None,
            product_name: None,
            expiry_date: None,
            expires_at: None,
            collapse_key: None,
            updated_at: None,
        })
    }

    #[tokio::test]
    async fn a_round_takes_as_many_steps_as_it_needs_in_every_workspace() {
        let store = MemoryStore::new(Epochs::seeded(1));
        let at = Timestamp::from_millis(0);
        for (w, slug) in ["a", "b"].into_iter().enumerate() {
            let notifications = (0..STEP + 10).map(|n| notification(n + w * 10 * STEP, at)).collect();
            let write = Write::Publish { notifications, idempotency: None };
            store.append(&Slug::new(slug).unwrap(), write, at).await.unwrap();
        }
        let config = Config { retention_days: 1, retention_entries: 4, ..Config::default() };
        assert_eq!(retain_once(&store, &config, at).await.unwrap(), 2 * (STEP + 6));
        let tomorrow = Timestamp::from_millis(DAY_MS + 1);
        assert_eq!(retain_once(&store, &config, tomorrow).await.unwrap(), 8);
        assert_eq!(retain_once(&store, &config, tomorrow).await.unwrap(), 0);
    }

    #[test]
    fn zero_means_for_ever() {
        let config = Config { retention_days: 0, retention_entries: 0, ..Config::default() };
        assert_eq!(retention(&config), Retention { max_age_ms: None, max_entries: None });
        assert_eq!(retention(&Config::default()).max_age_ms, Some(90 * DAY_MS));
    }
}
