//! Whoever comes back with a place is brought to what the user sees, by what is new and what was said of the rest.

use std::collections::BTreeMap;
use std::sync::Arc;

use campanile_model::{Audience, Notification, Seq, Slug, UserId};
use campanile_store::{
    Change, Epochs, MAX_CHANGES_READ, MemoryStore, Store, StoreError, VisibleChangeKind, VisibleQuery, Write,
};
use proptest::prelude::*;

use crate::support::*;

/// A step, and who comes back before it.
type Moment = (Step, [bool; USERS as usize]);

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let back = prop::array::uniform4(prop::bool::weighted(0.15));
    prop::collection::vec((step(), back), 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_client_comes_back_in_memory(moments in moments()) {
        runtime().block_on(async {
            let store = MemoryStore::new(Epochs::new(|| 42));
            let mut clients = Clients::default();
            let mut script = Script::default();
            for (step, back) in &moments {
                clients.come_back(&store, *back).await?;
                answer(&store, &script.call(step)).await;
            }
            clients.come_back(&store, [true; USERS as usize]).await
        })?;
    }

    #[test]
    fn a_client_comes_back_in_sqlite(moments in moments()) {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut store = sqlite(dir.path());
            let mut clients = Clients::default();
            let mut script = Script::default();
            for (step, back) in &moments {
                clients.come_back(&store, *back).await?;
                if matches!(step, Step::Reopen) {
                    drop(store);
                    store = sqlite(dir.path());
                }
                answer(&store, &script.call(step)).await;
            }
            clients.come_back(&store, [true; USERS as usize]).await
        })?;
    }
}

#[derive(Default)]
struct Clients {
    known: BTreeMap<(Slug, UserId), Known>,
}

/// What a client has, as of a place.
#[derive(Default)]
struct Known {
    place: Seq,
    inbox: BTreeMap<Seq, (Arc<Notification>, bool)>,
}

impl Clients {
    async fn come_back(
        &mut self,
        store: &dyn Store,
        who: [bool; USERS as usize],
    ) -> Result<(), TestCaseError> {
        for (user, _) in users().into_iter().zip(who).filter(|(_, back)| *back) {
            for slug in (0..WORKSPACES).map(workspace) {
                let known = self.known.entry((slug.clone(), user.clone())).or_default();
                come_back(store, &slug, &user, known).await?;
            }
        }
        Ok(())
    }
}

async fn come_back(
    store: &dyn Store,
    slug: &Slug,
    user: &UserId,
    known: &mut Known,
) -> Result<(), TestCaseError> {
    let snapshot = store.snapshot(slug, user).await.unwrap();
    if !snapshot.visibility.access.is_open() {
        let told = store.changes(slug, user, known.place, snapshot.counts.head, 99).await.unwrap();
        prop_assert!(told.is_empty());
        return Ok(());
    }
    if known.place.next() < snapshot.first {
        // Too long ago: it reads the inbox.
        *known = Known { place: Seq(snapshot.first.0 - 1), inbox: BTreeMap::new() };
    }
    let all = VisibleQuery {
        after: Seq(0),
        up_to: Seq(u64::MAX),
        limit: usize::MAX,
        newest_first: false,
        read: None,
        archived: None,
    };
    let (after, head) = (known.place, snapshot.counts.head);
    for item in store.visible(slug, user, VisibleQuery { after, ..all }).await.unwrap() {
        known.inbox.insert(item.seq, (item.notification, item.superseded));
    }
    let told = store.changes(slug, user, after, head, 999).await.unwrap();
    prop_assert!(told.is_sorted_by(|one, next| one.seq < next.seq));
    prop_assert!(told.iter().all(|change| after < change.seq && change.seq <= head));
    for limit in [0, 1, told.len()] {
        let part = store.changes(slug, user, after, head, limit).await.unwrap();
        prop_assert_eq!(&part[..], &told[..limit.min(told.len())]);
    }
    for change in told {
        match change.kind {
            VisibleChangeKind::Update { item } => {
                let had = known.inbox.insert(item.seq, (item.notification, item.superseded));
                prop_assert!(had.is_some(), "it had no entry {}", item.seq);
            }
            VisibleChangeKind::Retract { target_seq, .. } => {
                prop_assert!(target_seq <= after);
                known.inbox.remove(&target_seq);
            }
            VisibleChangeKind::Supersede { target_seq, still_seen: false, .. } => {
                prop_assert!(target_seq <= after);
                known.inbox.remove(&target_seq);
            }
            VisibleChangeKind::Supersede { target, target_seq, still_seen: true, .. } => {
                let had = known.inbox.get_mut(&target_seq);
                prop_assert!(
                    had.as_ref().is_some_and(|(n, _)| n.id == target),
                    "it had no entry {}",
                    target_seq
                );
                had.into_iter().for_each(|(_, superseded)| *superseded = true);
            }
        }
    }
    known.place = head;
    known.inbox.retain(|seq, _| *seq >= snapshot.first);
    let items = store.visible(slug, user, all).await.unwrap();
    let now: BTreeMap<_, _> = items.into_iter().map(|i| (i.seq, (i.notification, i.superseded))).collect();
    prop_assert_eq!(&known.inbox, &now, "{} in {} from {} to {}", user, slug, after, head);
    Ok(())
}

#[test]
fn no_more_is_looked_at_than_a_reader_may() {
    let dir = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let store = sqlite(dir.path());
        let count = MAX_CHANGES_READ as u64 + 1;
        let numbers: Vec<u64> = (1..=count).collect();
        for part in numbers.chunks(1000) {
            let one = |n: &u64| notification(*n, Audience::Users(vec![user((n % 2) as u8)]), vec![]);
            let notifications = part.iter().map(one).collect();
            let write = Write::Publish { notifications, idempotency: None };
            store.append(&workspace(0), write, at(0)).await.unwrap();
        }
        for part in numbers.chunks(1000) {
            let resolve = part.iter().map(|n| id(*n)).collect();
            let write = Write::Change(Change { resolve, ..Change::default() });
            store.append(&workspace(0), write, at(0)).await.unwrap();
        }
        let changes = async |after: u64, limit| {
            store.changes(&workspace(0), &user(1), Seq(after), Seq(u64::MAX), limit).await
        };
        let refused = changes(count, 1).await;
        assert!(matches!(refused, Err(StoreError::Limit { limit: MAX_CHANGES_READ, .. })), "{refused:?}");
        // From one place later: those that reach the user, and no more than are asked for.
        assert_eq!(changes(count + 1, usize::MAX).await.unwrap().len(), MAX_CHANGES_READ / 2);
        assert_eq!(changes(count + 1, 1001).await.unwrap().len(), 1001);
    });
}
