//! The two backends agree about documents, whatever was written before.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use campanile_model::{Audience, Seq};
use campanile_store::{
    Appended, Change, Contents, Document, DocumentKind, DocumentQuery, DocumentWrite, Epochs, Expect,
    MemoryStore, Order, Store, StoreError, Write, due_place,
};
use proptest::prelude::*;

use crate::support::*;

const KINDS: [DocumentKind; 3] = [DocumentKind::Product, DocumentKind::Record, DocumentKind::Run];
const IDS: u8 = 6;
const GROUPS: [&str; 3] = ["", "x", "y"];

/// One step of a history of documents.
#[derive(Debug, Clone)]
enum Move {
    Change {
        ws: u8,
        writes: Vec<Put>,
        notify: u8,
        grant: Vec<u8>,
        withdraw: Vec<u8>,
        resolve: Vec<u8>,
        old_id: bool,
    },
    Publish {
        ws: u8,
    },
    Purge {
        limit: usize,
    },
    Reopen,
}

/// What a change does to one document.
#[derive(Debug, Clone)]
struct Put {
    kind: u8,
    id: u8,
    expect: Expected,
    contents: Option<(u8, Option<u8>, Option<u8>)>,
}

#[derive(Debug, Clone, Copy)]
enum Expected {
    Anything,
    Absent,
    /// The version it has; absent where there is none.
    Present,
    /// One that it had, or another document has.
    Past(u8),
}

fn put() -> impl Strategy<Value = Put> {
    let expect = prop_oneof![
        4 => Just(Expected::Anything),
        1 => Just(Expected::Absent),
        6 => Just(Expected::Present),
        1 => any::<u8>().prop_map(Expected::Past),
    ];
    let instant = || prop::option::of(0..40_u8);
    let contents = prop::option::weighted(0.8, (0..GROUPS.len() as u8, instant(), instant()));
    (0..KINDS.len() as u8, 0..IDS, expect, contents).prop_map(|(kind, id, expect, contents)| Put {
        kind,
        id,
        expect,
        contents,
    })
}

fn moves() -> impl Strategy<Value = Move> {
    let ws = || prop_oneof![4 => Just(0_u8), 1 => Just(1_u8)];
    let few = || prop::collection::vec(0..USERS, 0..2);
    let resolve = prop::collection::vec(any::<u8>(), 0..2);
    let old_id = prop::bool::weighted(0.05);
    let change = (ws(), prop::collection::vec(put(), 0..4), 0..3_u8, few(), few(), resolve, old_id);
    prop_oneof![
        12 => change.prop_map(|(ws, writes, notify, grant, withdraw, resolve, old_id)| {
            Move::Change { ws, writes, notify, grant, withdraw, resolve, old_id }
        }),
        2 => ws().prop_map(|ws| Move::Publish { ws }),
        1 => (0..4_usize).prop_map(|limit| Move::Purge { limit }),
        1 => Just(Move::Reopen),
    ]
}

/// A store and what it is known to have said. The backends count changes each in their own way, so versions
/// and numbers are compared by their places among all that were seen.
struct Witness<S> {
    store: S,
    /// Versions ever given, ascending.
    versions: Vec<u64>,
    numbers: BTreeSet<u64>,
}

impl<S: Store> Witness<S> {
    fn new(store: S) -> Self {
        Self { store, versions: Vec::new(), numbers: BTreeSet::new() }
    }

    /// The state it is in, in the terms of the history.
    async fn expect(&self, ws: u8, put: &Put) -> Expect {
        match put.expect {
            Expected::Anything => Expect::Anything,
            Expected::Absent => Expect::Absent,
            Expected::Present => {
                self.read(ws, put).await.map_or(Expect::Absent, |d| Expect::Version(d.version))
            }
            Expected::Past(nth) if !self.versions.is_empty() => {
                Expect::Version(self.versions[usize::from(nth) % self.versions.len()])
            }
            Expected::Past(_) => Expect::Version(1),
        }
    }

    async fn read(&self, ws: u8, put: &Put) -> Option<Document> {
        let kind = KINDS[usize::from(put.kind)];
        let found = self.store.documents(&workspace(ws), kind, &[name(put.id)]).await.unwrap();
        found.into_iter().next().unwrap()
    }

    /// The outcome of a change, with versions by their places.
    fn note(&mut self, outcome: Result<Appended, StoreError>) -> String {
        match outcome {
            Ok(mut appended) => {
                for version in appended.versions.iter_mut().filter(|version| **version > 0) {
                    assert!(self.versions.last().is_none_or(|last| last < version), "a version comes again");
                    self.versions.push(*version);
                    *version = self.versions.len() as u64;
                }
                format!("{appended:?}")
            }
            Err(StoreError::Conflict { kind, id, version }) => {
                format!("{kind:?} {id} is in {:?}", version.map(|v| self.place(v)))
            }
            Err(error) => format!("{error:?}"),
        }
    }

    fn place(&self, version: u64) -> u64 {
        self.versions.binary_search(&version).expect("every version was told") as u64 + 1
    }

    fn known(&mut self, mut document: Document) -> Document {
        document.version = self.place(document.version);
        self.numbers.insert(document.number);
        document
    }

    /// Everything that can be asked.
    async fn everything(&mut self) -> Vec<String> {
        let mut answers = Vec::new();
        let ids: Vec<_> = (0..IDS).map(name).collect();
        for (ws, kind) in (0..WORKSPACES).flat_map(|ws| KINDS.map(|kind| (ws, kind))) {
            let slug = workspace(ws);
            let found = self.store.documents(&slug, kind, &ids).await.unwrap();
            let mut by_id: Vec<_> = found.into_iter().flatten().map(|d| self.known(d)).collect();
            // By the order of creation: the numbers themselves are the backend's own.
            by_id.sort_by_key(|document| document.number);
            answers.extend(by_id.iter().map(|d| format!("{:?}", Document { number: 0, ..d.clone() })));
            for group in [None].into_iter().chain(GROUPS.map(Some)) {
                let group = group.map(Arc::<str>::from);
                let of_group = |d: &&Document| group.as_ref().is_none_or(|group| *group == d.contents.group);
                let list = async |order, limit| {
                    let query = DocumentQuery { kind, group: group.clone(), order, limit };
                    let listed = self.store.list_documents(&slug, query).await.unwrap();
                    listed.into_iter().map(|d| (d.id, d.number)).collect::<Vec<_>>()
                };
                let mut right: Vec<_> =
                    by_id.iter().filter(of_group).map(|d| (d.id.clone(), d.number)).collect();
                right.reverse();
                assert_eq!(list(Order::Newest(None), 100).await, right, "newest, {group:?}");
                if let Some((_, number)) = right.first() {
                    assert_eq!(list(Order::Newest(Some(*number)), 2).await, right[1..right.len().min(3)]);
                }
                right.sort();
                assert_eq!(list(Order::Id(None), 100).await, right, "by id, {group:?}");
                if let Some((id, _)) = right.first() {
                    assert_eq!(list(Order::Id(Some(id.clone())), 2).await, right[1..right.len().min(3)]);
                }
            }
        }
        for kind in KINDS {
            for (up_to, limit) in [(0, 100), (20, 2), (u64::from(u8::MAX), 100)] {
                let due = self.store.due(kind, at(up_to), None, limit).await.unwrap();
                if let Some((_, first)) = due.first() {
                    let rest = self.store.due(kind, at(up_to), due_place(first), limit - 1).await.unwrap();
                    assert_eq!(rest, due[1..], "behind the first");
                }
                answers.extend(due.into_iter().map(|(slug, d)| format!("{slug} {} due", d.id)));
            }
        }
        for ws in 0..WORKSPACES {
            let entries = self.store.entries(&workspace(ws), Seq(0), Seq(u64::MAX), usize::MAX).await;
            answers.push(format!("{:?}", entries.unwrap()));
            let snapshot = self.store.snapshot(&workspace(ws), &user(0)).await.unwrap();
            answers.push(format!("{} unread of {}", snapshot.counts.unread, snapshot.counts.head));
        }
        answers
    }
}

fn name(id: u8) -> Arc<str> {
    // Some of them prefixes of others, and not in the order of their numbers.
    Arc::from(["b", "a", "ab", "ä", "B", "a0"][usize::from(id)])
}

/// The same history for any store.
#[derive(Default)]
struct History {
    clock: u64,
    next_id: u64,
}

impl History {
    async fn apply<S: Store>(&self, witness: &mut Witness<S>, step: &Move) -> String {
        let now = at(self.clock);
        match step {
            Move::Change { ws, writes, notify, grant, withdraw, resolve, old_id } => {
                let mut documents = BTreeMap::new();
                for put in writes {
                    let kind = KINDS[usize::from(put.kind)];
                    let contents = put.contents.map(|(group, due, expires)| Contents {
                        group: GROUPS[usize::from(group)].into(),
                        due: due.map(|n| at(n.into())),
                        expires: expires.map(|n| at(n.into())),
                        body: format!("{} by {}", put.id, self.clock).into(),
                    });
                    let expect = witness.expect(*ws, put).await;
                    let write = DocumentWrite { kind, id: name(put.id), expect, put: contents };
                    documents.insert((put.kind, put.id), write);
                }
                let first = if *old_id { 1 } else { self.next_id };
                let notifications = (0..u64::from(*notify))
                    .map(|n| notification(first + n, Audience::Workspace, vec![]))
                    .collect();
                let change = Change {
                    grant: distinct(grant),
                    documents: documents.into_values().collect(),
                    notifications,
                    // Its own notifications, older ones, and some that never were.
                    resolve: resolve.iter().map(|n| id(u64::from(*n) % (self.next_id + 3))).collect(),
                    withdraw: distinct(withdraw),
                    idempotency: None,
                };
                let outcome = witness.store.append(&workspace(*ws), Write::Change(change), now).await;
                witness.note(outcome)
            }
            Move::Publish { ws } => {
                let notifications = vec![notification(self.next_id, Audience::Workspace, vec![])];
                let write = Write::Publish { notifications, idempotency: None };
                format!("{:?}", witness.store.append(&workspace(*ws), write, now).await)
            }
            Move::Purge { limit } => format!("{:?}", witness.store.purge(now, *limit).await),
            Move::Reopen => String::new(),
        }
    }

    fn advance(&mut self) {
        self.clock += 1;
        self.next_id += 3;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(100), max_shrink_iters: 2000, ..ProptestConfig::default() })]

    #[test]
    fn backends_agree_about_documents(steps in prop::collection::vec(moves(), 1..60)) {
        runtime().block_on(async {
            let dir = tempfile::tempdir().unwrap();
            let mut memory = Witness::new(MemoryStore::new(Epochs::new(|| 42)));
            let mut kept = Witness::new(sqlite(dir.path()));
            let mut history = History::default();
            for (n, step) in steps.iter().enumerate() {
                history.advance();
                if matches!(step, Move::Reopen) {
                    kept.store.close().await;
                    kept.store = sqlite(dir.path());
                }
                let right = history.apply(&mut memory, step).await;
                prop_assert_eq!(right, history.apply(&mut kept, step).await, "{:?}", step);
                if n % 8 == 7 {
                    prop_assert_eq!(memory.everything().await, kept.everything().await);
                }
            }
            prop_assert_eq!(memory.everything().await, kept.everything().await);
            let report = kept.store.check_full().await.unwrap();
            prop_assert!(report.problems.is_empty(), "{:?}", report.problems);
            Ok(())
        })?;
    }
}
