//! Five ways to decide who sees an entry, and one answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use campanile_model::{EntryKind, Notification, NotificationId, Seq, Slug, UserId, Visibility};
use campanile_store::{Commit, Epochs, Mark, MemoryStore, Store, StoreError, VisibleQuery};
use proptest::prelude::*;
use tokio::sync::broadcast::Receiver;

use crate::support::*;

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn five_ways_agree_in_memory(steps in prop::collection::vec(step_while_open(), 1..60)) {
        runtime().block_on(five_ways(&MemoryStore::new(Epochs::new(|| 42)), &steps))?;
    }

    #[test]
    fn five_ways_agree_in_sqlite(steps in prop::collection::vec(step_while_open(), 1..60)) {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(five_ways(&sqlite(dir.path()), &steps))?;
    }
}

/// One store hears all of it.
fn step_while_open() -> impl Strategy<Value = Step> {
    step().prop_filter("no reopening", |step| !matches!(step, Step::Reopen))
}

/// What a node that only reads the commits and the marks would have delivered.
#[derive(Default)]
struct Live {
    users: BTreeMap<UserId, Client>,
}

/// One user's inbox as built from what was delivered.
#[derive(Default)]
struct Client {
    visibility: Visibility,
    inbox: BTreeMap<Seq, Arc<Notification>>,
    seen: BTreeSet<Seq>,
    read: BTreeSet<Seq>,
    superseded: BTreeSet<Seq>,
}

impl Live {
    fn hear(&mut self, commit: &Commit) {
        for entry in &commit.entries {
            match &entry.kind {
                EntryKind::Notification(n) => {
                    for user in users() {
                        let client = self.of(&user);
                        if client.visibility.sees(&user, entry.seq, n) {
                            client.inbox.insert(entry.seq, n.clone());
                        }
                    }
                }
                EntryKind::Update { target_seq, notification } => {
                    for client in self.users.values_mut() {
                        if let Some(old) = client.inbox.get_mut(target_seq) {
                            assert_eq!(old.id, notification.id);
                            *old = notification.clone();
                        }
                    }
                }
                EntryKind::Retract { target_seq, .. } => {
                    for client in self.users.values_mut() {
                        client.inbox.remove(target_seq);
                    }
                }
                EntryKind::Supersede { target_seq, .. } => {
                    for client in self.users.values_mut() {
                        client.superseded.insert(*target_seq);
                        if !client.read.contains(target_seq) {
                            client.inbox.remove(target_seq);
                        }
                    }
                }
                EntryKind::Subscribe { topic, user } => {
                    self.of(user).visibility.topics.entry(topic.clone()).or_default().open(entry.seq);
                }
                EntryKind::Unsubscribe { topic, user } => {
                    self.of(user).visibility.topics.entry(topic.clone()).or_default().close(entry.seq);
                }
                EntryKind::Grant { user } => self.of(user).visibility.access.open(entry.seq),
                EntryKind::Withdraw { user } => self.of(user).visibility.access.close(entry.seq),
            }
        }
    }

    fn of(&mut self, user: &UserId) -> &mut Client {
        self.users.entry(user.clone()).or_default()
    }
}

impl Client {
    /// Does what the store has just done.
    fn mark(&mut self, mark: &Mark) {
        let place = |wanted: &NotificationId| {
            let found = self.inbox.iter().find(|(_, n)| n.id == *wanted);
            *found.expect("what was marked is in the inbox").0
        };
        match mark {
            Mark::Read(id) | Mark::Archive(id) => {
                let seq = place(id);
                self.seen.insert(seq);
                self.read.insert(seq);
            }
            Mark::Unread(id) => {
                let seq = place(id);
                if !self.superseded.contains(&seq) && self.read.remove(&seq) {
                    self.seen.insert(seq);
                }
            }
            Mark::ReadAll(up_to) | Mark::Seen(up_to) if self.visibility.access.is_open() => {
                let shown = self.inbox.range(..=up_to.unwrap_or(Seq(u64::MAX))).map(|(seq, _)| *seq);
                let shown: Vec<Seq> = shown.collect();
                self.seen.extend(&shown);
                if matches!(mark, Mark::ReadAll(_)) {
                    self.read.extend(&shown);
                }
            }
            Mark::ReadAll(_) | Mark::Seen(_) => {}
        }
    }
}

async fn five_ways(store: &dyn Store, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut commits = store.commits();
    let mut script = Script::default();
    let mut live: BTreeMap<Slug, Live> = BTreeMap::new();
    for step in steps {
        match script.call(step) {
            Call::Mark(slug, user, mark, _, now) => {
                if store.mark(&slug, &user, mark.clone(), None, now).await.is_ok() {
                    live.entry(slug).or_default().of(&user).mark(&mark);
                }
            }
            call => drop(answer(store, &call).await),
        }
        hear(&mut commits, &mut live);
    }
    for (slug, live) in &mut live {
        for user in users() {
            let snapshot = store.snapshot(slug, &user).await.unwrap();
            // One: live delivery, less what was retracted, pruned or hidden since.
            let client = live.of(&user);
            let mut expected = std::mem::take(&mut client.inbox);
            expected.retain(|seq, _| *seq >= snapshot.first && snapshot.visibility.access.is_open());
            // Two and three: catch-up and inbox, page by page.
            prop_assert_eq!(&pages(store, slug, &user, false).await, &expected);
            prop_assert_eq!(&pages(store, slug, &user, true).await, &expected);
            // Four: the count.
            let unread: BTreeSet<_> = expected.keys().filter(|seq| !client.read.contains(seq)).collect();
            prop_assert_eq!(snapshot.counts.unread, unread.len() as u64);
            let unseen = unread.iter().filter(|seq| !client.seen.contains(seq)).count();
            prop_assert_eq!(snapshot.counts.unseen, unseen as u64);
            // Five: what may be marked.
            let mut left = snapshot.counts.unread;
            for id in script.published.iter().flatten() {
                let shown = expected.iter().find(|(_, n)| n.id == *id);
                match store.mark(slug, &user, Mark::Read(*id), None, at(0)).await {
                    Ok(marked) => {
                        let Some((seq, _)) = shown else { panic!("{id} is not in the inbox") };
                        let was_unread = unread.contains(&seq);
                        left -= u64::from(was_unread);
                        prop_assert_eq!((marked.changed, marked.unread), (was_unread, left));
                    }
                    Err(StoreError::NotFound) => prop_assert!(shown.is_none()),
                    Err(other) => prop_assert!(false, "{}", other),
                }
            }
            prop_assert_eq!(left, 0);
        }
    }
    Ok(())
}

fn hear(commits: &mut Receiver<Arc<Commit>>, live: &mut BTreeMap<Slug, Live>) {
    while let Ok(commit) = commits.try_recv() {
        live.entry(commit.workspace.clone()).or_default().hear(&commit);
    }
}

async fn pages(
    store: &dyn Store,
    slug: &Slug,
    user: &UserId,
    newest_first: bool,
) -> BTreeMap<Seq, Arc<Notification>> {
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
            assert!(found.insert(item.seq, item.notification).is_none(), "an entry came twice");
        }
    }
}
