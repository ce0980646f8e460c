//! The two backends give equal answers to every method, whatever happened before.

use campanile_model::{Seq, Visibility};
use campanile_store::{Epochs, MemoryStore, Store, VisibleQuery};
use proptest::prelude::*;

use crate::support::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(150), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn backends_agree(steps in prop::collection::vec(step(), 1..60)) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let memory = MemoryStore::new(Epochs::new(|| 42));
            let mut sqlite = sqlite(dir.path());
            let mut script = Script::default();
            for (n, step) in steps.iter().enumerate() {
                let call = script.call(step);
                if matches!(call, Call::Reopen) {
                    drop(sqlite);
                    sqlite = crate::support::sqlite(dir.path());
                }
                let (right, got) = (answer(&memory, &call).await, answer(&sqlite, &call).await);
                prop_assert_eq!(right, got, "{:?}", step);
                if n % 8 == 7 {
                    compare(&memory, &sqlite, &script).await?;
                }
            }
            compare(&memory, &sqlite, &script).await?;
            let report = sqlite.check_full().await.unwrap();
            prop_assert!(report.problems.is_empty(), "{:?}", report.problems);
            Ok(())
        })?;
    }
}

/// Asks both everything.
async fn compare(right: &dyn Store, got: &dyn Store, script: &Script) -> Result<(), TestCaseError> {
    prop_assert_eq!(right.heads().await.unwrap(), got.heads().await.unwrap());
    for ws in 0..WORKSPACES {
        let slug = workspace(ws);
        let head = right.snapshot(&slug, &user(0)).await.unwrap().counts.head;
        for (after, up_to, limit) in [(0, u64::MAX, usize::MAX), (3, 20, 5), (head.0 / 2, head.0, 2)] {
            let (after, up_to) = (Seq(after), Seq(up_to));
            prop_assert_eq!(
                right.entries(&slug, after, up_to, limit).await.unwrap(),
                got.entries(&slug, after, up_to, limit).await.unwrap()
            );
        }
        for t in 0..TOPICS {
            for after in [None, Some(user(1))] {
                prop_assert_eq!(
                    right.subscribers(&slug, &topic(t), after.as_ref(), 3).await.unwrap(),
                    got.subscribers(&slug, &topic(t), after.as_ref(), 3).await.unwrap()
                );
            }
        }
        for user in users() {
            let (mut a, mut b) =
                (right.snapshot(&slug, &user).await.unwrap(), got.snapshot(&slug, &user).await.unwrap());
            let seen = |v: &Visibility| {
                let shown = |t: u8| -> Vec<u64> {
                    let intervals = v.topics.get(&topic(t)).cloned().unwrap_or_default();
                    (a.first.0..=head.0 + 1).filter(|seq| intervals.contains(Seq(*seq))).collect()
                };
                (0..TOPICS).map(shown).collect::<Vec<_>>()
            };
            prop_assert_eq!(seen(&a.visibility), seen(&b.visibility));
            // A backend may forget stretches of a topic that show nothing any more.
            a.visibility.topics.clear();
            b.visibility.topics.clear();
            // Nor need both divide the read state alike between watermarks and receipts (read_state.rs).
            (a.counts.read_up_to, a.counts.seen_up_to) = (b.counts.read_up_to, b.counts.seen_up_to);
            prop_assert_eq!(&a, &b, "{:?}", user);
            for (after, up_to, limit) in [(0, u64::MAX, 99), (head.0 / 2, u64::MAX, 99), (3, 30, 2)] {
                let (after, up_to) = (Seq(after), Seq(up_to));
                prop_assert_eq!(
                    right.changes(&slug, &user, after, up_to, limit).await.unwrap(),
                    got.changes(&slug, &user, after, up_to, limit).await.unwrap(),
                    "{:?} after {}",
                    user,
                    after
                );
            }
            for query in queries(head) {
                prop_assert_eq!(
                    right.visible(&slug, &user, query).await.unwrap(),
                    got.visible(&slug, &user, query).await.unwrap(),
                    "{:?} {:?}",
                    user,
                    query
                );
            }
            for id in script.published.iter().flatten().step_by(3) {
                let (a, b) =
                    (right.find(&slug, Some(&user), *id).await, got.find(&slug, Some(&user), *id).await);
                prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
            }
        }
        for id in script.published.iter().flatten() {
            let (a, b) = (right.find(&slug, None, *id).await, got.find(&slug, None, *id).await);
            prop_assert_eq!(format!("{a:?}"), format!("{b:?}"));
        }
    }
    Ok(())
}

fn queries(head: Seq) -> Vec<VisibleQuery> {
    let mut queries = Vec::new();
    for read in [None, Some(false), Some(true)] {
        for archived in [None, Some(false), Some(true)] {
            for newest_first in [false, true] {
                for (after, up_to, limit) in [(0, u64::MAX, usize::MAX), (2, head.0.saturating_sub(3), 3)] {
                    queries.push(VisibleQuery {
                        after: Seq(after),
                        up_to: Seq(up_to),
                        limit,
                        newest_first,
                        read,
                        archived,
                    });
                }
            }
        }
    }
    queries
}
