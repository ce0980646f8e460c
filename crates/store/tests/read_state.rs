//! A client that is told what its user did, now and then, knows what the store says.

use std::collections::BTreeMap;

use campanile_model::{Receipt, Rev, Seq, Slug, UserId};
use campanile_store::{Epochs, MemoryStore, ReadState, Store, VisibleQuery};
use proptest::prelude::*;

use crate::support::*;

/// A step, and who is told what they did before it and at once after it.
type Moment = (Step, [bool; USERS as usize], [bool; USERS as usize]);

fn moments() -> impl Strategy<Value = Vec<Moment>> {
    let told = || prop::array::uniform4(prop::bool::weighted(0.15));
    prop::collection::vec((marks_mostly(), told(), told()), 1..80)
}

fn marks_mostly() -> impl Strategy<Value = Step> {
    let key = || Just(None::<u8>);
    prop_oneof![
        3 => step(),
        4 => (0..USERS, 0_u8..3, any::<u16>(), key())
            .prop_map(|(user, how, nth, key)| Step::Mark { ws: 0, user, how, nth, key }),
        1 => (0..USERS, prop::option::of(0_u8..40), key())
            .prop_map(|(user, up_to, key)| Step::ReadAll { ws: 0, user, up_to, key }),
        1 => (0..USERS, prop::option::of(0_u8..40)).prop_map(|(user, up_to)| Step::Seen { ws: 0, user, up_to }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_client_keeps_up_in_memory(moments in moments()) {
        runtime().block_on(async {
            let store = MemoryStore::new(Epochs::new(|| 42));
            let mut clients = Clients::default();
            let mut script = Script::default();
            for moment in &moments {
                clients.live(&store, &mut script, moment).await?;
            }
            clients.tell(&store, [true; USERS as usize]).await
        })?;
    }

    #[test]
    fn a_client_keeps_up_in_sqlite(moments in moments()) {
        let dir = tempfile::tempdir().unwrap();
        runtime().block_on(async {
            let mut store = sqlite(dir.path());
            let mut clients = Clients::default();
            let mut script = Script::default();
            for moment in &moments {
                if matches!(moment.0, Step::Reopen) {
                    drop(store);
                    store = sqlite(dir.path());
                }
                clients.live(&store, &mut script, moment).await?;
            }
            clients.tell(&store, [true; USERS as usize]).await?;
            let report = store.check_full().await.unwrap();
            prop_assert!(report.problems.is_empty(), "{:?}", report.problems);
            Ok(())
        })?;
    }
}

/// What one client of each user knows.
#[derive(Default)]
struct Clients {
    known: BTreeMap<(Slug, UserId), Known>,
}

/// Of every place of the log, in the belief that nothing was done but what it was told.
#[derive(Default)]
struct Known {
    rev: Rev,
    read_up_to: Seq,
    seen_up_to: Seq,
    receipts: BTreeMap<Seq, Receipt>,
}

impl Known {
    fn apply(&mut self, told: &ReadState) {
        for seq in self.read_up_to.0 + 1..=told.counts.read_up_to.0 {
            let receipt = self.receipts.entry(Seq(seq)).or_default();
            (receipt.seen, receipt.read) = (true, true);
        }
        for seq in self.seen_up_to.0 + 1..=told.counts.seen_up_to.0 {
            self.receipts.entry(Seq(seq)).or_default().seen = true;
        }
        for item in &told.items {
            self.receipts.insert(item.seq, item.receipt);
        }
        self.rev = told.counts.rev;
        self.read_up_to = self.read_up_to.max(told.counts.read_up_to);
        self.seen_up_to = self.seen_up_to.max(told.counts.seen_up_to);
    }
}

impl Clients {
    async fn live(
        &mut self,
        store: &dyn Store,
        script: &mut Script,
        (step, before, after): &Moment,
    ) -> Result<(), TestCaseError> {
        self.tell(store, *before).await?;
        answer(store, &script.call(step)).await;
        self.tell(store, *after).await
    }

    async fn tell(&mut self, store: &dyn Store, whom: [bool; USERS as usize]) -> Result<(), TestCaseError> {
        for (user, _) in users().into_iter().zip(whom).filter(|(_, told)| *told) {
            for slug in (0..WORKSPACES).map(workspace) {
                let known = self.known.entry((slug.clone(), user.clone())).or_default();
                tell(store, &slug, &user, known).await?;
            }
        }
        Ok(())
    }
}

async fn tell(store: &dyn Store, slug: &Slug, user: &UserId, known: &mut Known) -> Result<(), TestCaseError> {
    let told = store.receipts(slug, user, known.rev, usize::MAX).await.unwrap();
    let snapshot = store.snapshot(slug, user).await.unwrap();
    prop_assert_eq!(
        (
            told.counts.epoch,
            told.counts.head,
            told.counts.unread,
            told.counts.unseen,
            told.counts.read_up_to,
            told.counts.seen_up_to
        ),
        (
            snapshot.counts.epoch,
            snapshot.counts.head,
            snapshot.counts.unread,
            snapshot.counts.unseen,
            snapshot.counts.read_up_to,
            snapshot.counts.seen_up_to
        )
    );
    prop_assert!(!told.more);
    let is_open = snapshot.visibility.access.is_open();
    prop_assert_eq!(told.counts.rev, if is_open { snapshot.counts.rev } else { known.rev });
    prop_assert!(is_open || told.items.is_empty());
    for limit in [0, 1, told.items.len()] {
        let part = store.receipts(slug, user, known.rev, limit).await.unwrap();
        prop_assert_eq!(&part.items, &told.items[..limit.min(told.items.len())]);
        prop_assert_eq!(part.more, limit < told.items.len());
    }
    known.apply(&told);
    let all = VisibleQuery {
        after: Seq(0),
        up_to: Seq(u64::MAX),
        limit: usize::MAX,
        newest_first: false,
        read: None,
        archived: None,
    };
    let items = store.visible(slug, user, all).await.unwrap();
    for item in &items {
        let believed = known.receipts.get(&item.seq).copied().unwrap_or_default();
        prop_assert_eq!(believed, item.receipt, "{} of {} in {}", item.seq, user, slug);
    }
    // Nobody is told of what they do not see.
    let sees = |seq: Seq| items.iter().any(|item| item.seq == seq);
    prop_assert!(told.items.iter().all(|item| sees(item.seq)), "{:?}", told);
    let again = store.receipts(slug, user, known.rev, usize::MAX).await.unwrap();
    prop_assert!(again.items.is_empty() && again.counts.rev == known.rev);
    Ok(())
}
