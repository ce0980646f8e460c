//! Five ways to decide who sees an entry, and one answer.

use std::collections::{BTreeMap, BTreeSet};

use campanile_model::{EntryKind, NotificationId, Seq, Slug, UserId, Visibility};
use campanile_store::{Commit, Epochs, Mark, MemoryStore, Store, StoreError, VisibleQuery};
use proptest::prelude::*;

use crate::support::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn five_ways_agree_in_memory(steps in prop::collection::vec(unmarked_step(), 1..60)) {
        runtime().block_on(five_ways(&MemoryStore::new(Epochs::new(|| 42)), &steps))?;
    }

    #[test]
    fn five_ways_agree_in_sqlite(steps in prop::collection::vec(unmarked_step(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(five_ways(&sqlite(dir.path()), &steps))?;
    }
}

/// Nothing is marked on the way, so that the unread count is the count of what is seen.
fn unmarked_step() -> impl Strategy<Value = Step> {
    step().prop_filter("no marks", |step| {
        !matches!(step, Step::Mark { .. } | Step::ReadAll { .. } | Step::Seen { .. } | Step::Reopen)
    })
}

/// What a node that only reads the commits would have delivered.
#[derive(Default)]
struct Live {
    visibility: BTreeMap<UserId, Visibility>,
    delivered: BTreeMap<UserId, BTreeMap<Seq, NotificationId>>,
}

impl Live {
    fn read(&mut self, commit: &Commit) {
        for entry in &commit.entries {
            match &entry.kind {
                EntryKind::Notification(n) => {
                    for user in users() {
                        if self.of(&user).sees(&user, entry.seq, n) {
                            self.delivered.entry(user).or_default().insert(entry.seq, n.id);
                        }
                    }
                }
                EntryKind::Update { target_seq, notification } => {
                    // It stays where it is and who sees it stays.
                    for delivered in self.delivered.values() {
                        assert!(delivered.get(target_seq).is_none_or(|id| *id == notification.id));
                    }
                }
                // Nobody has read anything on the way, so a superseded one is gone for all.
                EntryKind::Retract { target_seq, .. } | EntryKind::Supersede { target_seq, .. } => {
                    for delivered in self.delivered.values_mut() {
                        delivered.remove(target_seq);
                    }
                }
                EntryKind::Subscribe { topic, user } => {
                    self.of(user).topics.entry(topic.clone()).or_default().open(entry.seq);
                }
                EntryKind::Unsubscribe { topic, user } => {
                    self.of(user).topics.entry(topic.clone()).or_default().close(entry.seq);
                }
                EntryKind::Grant { user } => self.of(user).access.open(entry.seq),
                EntryKind::Withdraw { user } => self.of(user).access.close(entry.seq),
            }
        }
    }

    fn of(&mut self, user: &UserId) -> &mut Visibility {
        self.visibility.entry(user.clone()).or_default()
    }
}

async fn five_ways(store: &dyn Store, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut commits = store.commits();
    let mut script = Script::default();
    for step in steps {
        answer(store, &script.call(step)).await;
    }
    let mut live: BTreeMap<Slug, Live> = BTreeMap::new();
    while let Ok(commit) = commits.try_recv() {
        live.entry(commit.workspace.clone()).or_default().read(&commit);
    }
    for (slug, live) in &mut live {
        for user in users() {
            let snapshot = store.snapshot(slug, &user).await.unwrap();
            // One: live delivery, less what was retracted, pruned or hidden since.
            let mut expected = live.delivered.remove(&user).unwrap_or_default();
            expected.retain(|seq, _| *seq >= snapshot.first && snapshot.visibility.access.is_open());
            // Two and three: catch-up and inbox, page by page.
            prop_assert_eq!(&pages(store, slug, &user, false).await, &expected);
            prop_assert_eq!(&pages(store, slug, &user, true).await, &expected);
            // Four: the count.
            prop_assert_eq!(snapshot.unread, expected.len() as u64);
            prop_assert_eq!(snapshot.unseen, expected.len() as u64);
            // Five: what may be marked.
            let expected: BTreeSet<_> = expected.into_values().collect();
            let mut unread = snapshot.unread;
            for id in script.published.iter().flatten() {
                match store.mark(slug, &user, Mark::Read(*id), at(0)).await {
                    Ok(marked) => {
                        unread -= 1;
                        prop_assert!(marked.changed && marked.unread == unread && expected.contains(id));
                    }
                    Err(StoreError::NotFound) => prop_assert!(!expected.contains(id)),
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
            prop_assert_eq!(unread, 0);
        }
    }
    Ok(())
}

async fn pages(
    store: &dyn Store,
    slug: &Slug,
    user: &UserId,
    newest_first: bool,
) -> BTreeMap<Seq, NotificationId> {
    let (mut after, mut up_to, mut found) = (Seq::ZERO, Seq(u64::MAX), BTreeMap::new());
    loop {
        let query = VisibleQuery { after, up_to, limit: 3, newest_first, read: None, archived: None };
        let page = store.visible(slug, user, query).await.unwrap();
        let Some(last) = page.last() else { return found };
        if newest_first {
            up_to = Seq(last.seq.0 - 1);
        } else {
            after = last.seq;
        }
        for item in page {
            assert!(found.insert(item.seq, item.notification.id).is_none(), "an entry came twice");
        }
    }
}
