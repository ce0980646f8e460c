//! Counts above more dead entries than one bucket holds.

use std::sync::Arc;

use campanile_model::{Audience, Notification, NotificationId, Seq};
use campanile_store::{Change, Epochs, Mark, MemoryStore, Retention, Store, Write};

use crate::support::*;

/// Buckets hold 1,024 places: several of them are whole, whatever is cut off at either end.
const NOTIFICATIONS: u64 = 4_500;

fn published(n: u64) -> Arc<Notification> {
    let (audience, except) = match n % 7 {
        0 => (Audience::Workspace, vec![]),
        1 => (Audience::Workspace, vec![user(1)]),
        2 => (Audience::Topic(topic(0)), vec![]),
        3 => (Audience::Topic(topic(0)), vec![user(0), user(2)]),
        4 => (Audience::Topic(topic(1)), vec![]),
        5 => (Audience::Users(vec![user(0), user(1)]), vec![]),
        _ => (Audience::Users(vec![user(2), user(3)]), vec![user(3)]),
    };
    notification(n, audience, except)
}

async fn both(stores: [&dyn Store; 2], write: Write) {
    for store in stores {
        store.append(&workspace(0), write.clone(), at(0)).await.unwrap();
    }
}

/// What every user has unread and unseen.
async fn counts(store: &dyn Store) -> Vec<(u64, u64)> {
    let mut counts = Vec::new();
    for user in users() {
        let snapshot = store.snapshot(&workspace(0), &user).await.unwrap();
        counts.push((snapshot.counts.unread, snapshot.counts.unseen));
    }
    counts
}

#[test]
fn counts_above_many_dead_entries() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let (memory, sqlite) = (MemoryStore::new(Epochs::new(|| 42)), sqlite(dir.path()));
        let stores: [&dyn Store; 2] = [&memory, &sqlite];
        both(stores, Write::Subscribe { topic: topic(0), users: users() }).await;
        both(stores, Write::Subscribe { topic: topic(1), users: vec![user(3)] }).await;
        let numbers: Vec<u64> = (1..=NOTIFICATIONS).collect();
        for part in numbers.chunks(900) {
            let notifications = part.iter().map(|n| published(*n)).collect();
            both(stores, Write::Publish { notifications, idempotency: None }).await;
            if part.contains(&2_000) {
                // A stretch that ends within a bucket.
                both(stores, Write::Unsubscribe { topic: topic(1), users: vec![user(3)] }).await;
            }
        }
        // Two of three die, some by a retraction.
        let dead: Vec<NotificationId> = numbers.iter().filter(|n| *n % 3 != 0).map(|n| id(*n)).collect();
        both(stores, Write::Change(Change { resolve: dead[20..].to_vec(), ..Change::default() })).await;
        for id in &dead[..40] {
            both(stores, Write::Retract { id: *id }).await;
        }
        // Some more, so that the bucket of the head holds dead ones too.
        let notifications = (1..=600).map(|n| published(NOTIFICATIONS + n)).collect();
        both(stores, Write::Publish { notifications, idempotency: None }).await;
        for n in 1..=21 {
            both(stores, Write::Retract { id: id(NOTIFICATIONS + 25 * n) }).await;
        }
        assert_eq!(counts(&memory).await, counts(&sqlite).await);
        for (n, up_to) in [5, 1_000, 1_023, 1_024, 1_025, 2_047, 2_048, 3_500, 4_400].into_iter().enumerate()
        {
            for (m, name) in users().into_iter().enumerate() {
                let mark = if (n + m) % 3 == 0 {
                    Mark::Seen(Some(Seq(up_to)))
                } else {
                    Mark::ReadAll(Some(Seq(up_to)))
                };
                let [right, got] = [
                    memory.mark(&workspace(0), &name, mark.clone(), None, at(0)).await.unwrap(),
                    sqlite.mark(&workspace(0), &name, mark, None, at(0)).await.unwrap(),
                ];
                assert_eq!(right, got, "{name} up to {up_to}");
            }
            assert_eq!(counts(&memory).await, counts(&sqlite).await, "up to {up_to}");
            let keep = Retention { max_age_ms: None, max_entries: Some(7_000 - up_to / 2) };
            for store in stores {
                while store.prune(&workspace(0), keep, 500, at(0)).await.unwrap() > 0 {}
            }
            assert_eq!(counts(&memory).await, counts(&sqlite).await, "up to {up_to}, pruned");
        }
        let report = sqlite.check_full().await.unwrap();
        assert!(report.problems.is_empty(), "{:?}", report.problems);
    });
}
