//! Names, notifications and random histories.

use std::collections::HashMap;
use std::sync::Arc;

use campanile_model::{Audience, Level, Notification, NotificationId, Seq, Slug, Timestamp, Topic, UserId};
use campanile_store::{
    Change, Config, Epochs, IDEMPOTENCY_WINDOW_MS, Idempotency, Mark, MarkKey, Retention, SqliteStore, Store,
    StoreError, Write,
};
use proptest::prelude::*;
use uuid::Uuid;

pub const USERS: u8 = 4;
pub const TOPICS: u8 = 3;
pub const WORKSPACES: u8 = 2;

pub fn workspace(n: u8) -> Slug {
    Slug::new(&format!("workspace-{}", n % WORKSPACES)).unwrap()
}

pub fn user(n: u8) -> UserId {
    UserId::new(&format!("user-{}", n % USERS)).unwrap()
}

pub fn topic(n: u8) -> Topic {
    Topic::new(&format!("topic-{}", n % TOPICS)).unwrap()
}

pub fn users() -> Vec<UserId> {
    (0..USERS).map(user).collect()
}

pub fn id(n: u64) -> NotificationId {
    NotificationId(Uuid::from_u64_pair(n << 16 | 0x7000, 1 << 63))
}

pub fn notification(n: u64, audience: Audience, except: Vec<UserId>) -> Arc<Notification> {
    Arc::new(Notification {
        id: id(n),
        audience,
        except,
        title: format!("title {n}"),
        message: format!("message {n}"),
        kind: "info".into(),
        level: Level::Info,
        timestamp: at(n),
        metadata: Some(serde_json::value::RawValue::from_string(format!("{{\"n\" :  {n}}}")).unwrap()),
        event: None,
        product_name: None,
        expiry_date: None,
        expires_at: None,
        collapse_key: None,
        updated_at: None,
    })
}

pub fn at(n: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000 + n as i64)
}

/// A store whose epochs are all alike, so that two of them can be compared; cleaning up one row at a time.
pub fn sqlite(dir: &std::path::Path) -> SqliteStore {
    let mut config = Config::new(dir, Epochs::new(|| 42));
    config.slice = 1;
    SqliteStore::open(config).unwrap()
}

pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One step of a history. Numbers name things modulo how many there are.
#[derive(Debug, Clone)]
pub enum Step {
    Publish {
        ws: u8,
        to: To,
        except: Vec<u8>,
        count: u8,
        key: Option<u8>,
        life: Life,
    },
    Update {
        ws: u8,
        nth: u16,
        life: Life,
    },
    Resolve {
        ws: u8,
        nths: Vec<u16>,
    },
    Expire {
        limit: u8,
    },
    Subscribe {
        ws: u8,
        topic: u8,
        users: Vec<u8>,
    },
    Unsubscribe {
        ws: u8,
        topic: u8,
        users: Vec<u8>,
    },
    Grant {
        ws: u8,
        user: u8,
    },
    Withdraw {
        ws: u8,
        user: u8,
    },
    Retract {
        ws: u8,
        nth: u16,
    },
    Mark {
        ws: u8,
        user: u8,
        how: u8,
        nth: u16,
        key: Option<u8>,
    },
    ReadAll {
        ws: u8,
        user: u8,
        up_to: Option<u8>,
        key: Option<u8>,
    },
    Seen {
        ws: u8,
        user: u8,
        up_to: Option<u8>,
    },
    Prune {
        ws: u8,
        keep: u8,
        by_age: bool,
        limit: u8,
    },
    /// As long as keys are kept, and some more.
    Wait,
    Reopen,
}

/// How long a notification lasts, and what it supersedes.
#[derive(Debug, Clone)]
pub struct Life {
    pub ttl: Option<u8>,
    pub collapse: Option<u8>,
}

fn life() -> impl Strategy<Value = Life> {
    (prop::option::weighted(0.3, 0_u8..30), prop::option::weighted(0.6, 0_u8..2))
        .prop_map(|(ttl, collapse)| Life { ttl, collapse })
}

#[derive(Debug, Clone)]
pub enum To {
    Users(Vec<u8>),
    Topic(u8),
    Workspace,
}

impl To {
    pub fn audience(&self) -> Audience {
        match self {
            Self::Users(users) => Audience::Users(distinct(users)),
            Self::Topic(t) => Audience::Topic(topic(*t)),
            Self::Workspace => Audience::Workspace,
        }
    }
}

pub fn distinct(numbers: &[u8]) -> Vec<UserId> {
    let mut names: Vec<_> = numbers.iter().map(|n| user(*n)).collect();
    names.sort();
    names.dedup();
    names
}

pub fn step() -> impl Strategy<Value = Step> {
    let ws = || prop_oneof![4 => Just(0_u8), 1 => Just(1_u8)];
    let to = prop_oneof![
        prop::collection::vec(0..USERS, 1..4).prop_map(To::Users),
        (0..TOPICS).prop_map(To::Topic),
        Just(To::Workspace),
    ];
    // Alike more often than not, so that keys meet.
    let except = prop_oneof![
        3 => Just(Vec::new()),
        1 => prop::collection::vec(0..USERS, 0..3),
    ];
    let few = || prop::collection::vec(0..USERS, 0..3);
    prop_oneof![
        12 => (ws(), to, except, 1_u8..4, prop::option::weighted(0.2, 0_u8..3), life())
            .prop_map(|(ws, to, except, count, key, life)| Step::Publish { ws, to, except, count, key, life }),
        3 => (ws(), any::<u16>(), life()).prop_map(|(ws, nth, life)| Step::Update { ws, nth, life }),
        1 => (ws(), prop::collection::vec(any::<u16>(), 1..3)).prop_map(|(ws, nths)| Step::Resolve { ws, nths }),
        2 => (1_u8..4).prop_map(|limit| Step::Expire { limit }),
        3 => (ws(), 0..TOPICS, few()).prop_map(|(ws, topic, users)| Step::Subscribe { ws, topic, users }),
        2 => (ws(), 0..TOPICS, few()).prop_map(|(ws, topic, users)| Step::Unsubscribe { ws, topic, users }),
        1 => (ws(), 0..USERS).prop_map(|(ws, user)| Step::Grant { ws, user }),
        1 => (ws(), 0..USERS).prop_map(|(ws, user)| Step::Withdraw { ws, user }),
        2 => (ws(), any::<u16>()).prop_map(|(ws, nth)| Step::Retract { ws, nth }),
        8 => (ws(), 0..USERS, 0_u8..3, any::<u16>(), mark_key())
            .prop_map(|(ws, user, how, nth, key)| Step::Mark { ws, user, how, nth, key }),
        2 => (ws(), 0..USERS, prop::option::of(0_u8..40), mark_key())
            .prop_map(|(ws, user, up_to, key)| Step::ReadAll { ws, user, up_to, key }),
        2 => (ws(), 0..USERS, prop::option::of(0_u8..40))
            .prop_map(|(ws, user, up_to)| Step::Seen { ws, user, up_to }),
        1 => (ws(), 0_u8..30, any::<bool>(), 1_u8..5)
            .prop_map(|(ws, keep, by_age, limit)| Step::Prune { ws, keep, by_age, limit }),
        1 => Just(Step::Wait),
        1 => Just(Step::Reopen),
    ]
}

fn mark_key() -> impl Strategy<Value = Option<u8>> {
    prop::option::weighted(0.2, 0_u8..2)
}

/// Turns steps into calls; hands out ids and the time.
#[derive(Default)]
pub struct Script {
    /// Notifications so far, by workspace.
    pub published: [Vec<NotificationId>; WORKSPACES as usize],
    /// As they were last published or said anew, whatever the store answered.
    bodies: HashMap<NotificationId, Arc<Notification>>,
    next_id: u64,
    clock: u64,
}

pub enum Call {
    Append(Slug, Write, Timestamp),
    Mark(Slug, UserId, Mark, Option<MarkKey>, Timestamp),
    Prune(Slug, Retention, usize, Timestamp),
    Expire(Timestamp, usize),
    /// Nothing to ask of a store.
    Nothing,
    Reopen,
}

impl Script {
    pub fn call(&mut self, step: &Step) -> Call {
        self.clock += 1;
        let now = at(self.clock);
        let append = |ws: u8, write| Call::Append(workspace(ws), write, now);
        match step {
            Step::Publish { ws, to, except, count, key, life } => {
                let except = distinct(except);
                let mut notifications = Vec::new();
                for n in 0..*count {
                    self.next_id += 1;
                    let mut audience = to.audience();
                    if let (Audience::Users(users), 1) = (&mut audience, n) {
                        users.reverse();
                    }
                    let new = notification(self.next_id, audience, except.clone());
                    let new = self.living(Arc::unwrap_or_clone(new), life);
                    self.bodies.insert(new.id, new.clone());
                    notifications.push(new);
                }
                self.published[usize::from(*ws)].extend(notifications.iter().map(|n| n.id));
                let idempotency = key.map(|key| Idempotency {
                    publisher: user(0),
                    key: format!("key {key}"),
                    fingerprint: [count % 2; 32],
                });
                append(*ws, Write::Publish { notifications, idempotency })
            }
            Step::Update { ws, nth, life } => {
                let Some(old) = self.bodies.get(&self.nth(*ws, *nth)) else {
                    return append(*ws, Write::Retract { id: id(0) });
                };
                let title = format!("said anew at {}", self.clock);
                let new = Notification { title, updated_at: Some(now), ..old.as_ref().clone() };
                let new = self.living(new, life);
                // Every other time as it was made last, which may have been refused.
                let expected = nth.is_multiple_of(2).then(|| old.clone());
                self.bodies.insert(new.id, new.clone());
                append(*ws, Write::Update { notification: new, expected })
            }
            Step::Resolve { ws, nths } => {
                let resolve = nths.iter().map(|nth| self.nth(*ws, *nth)).collect();
                append(*ws, Write::Change(Change { resolve, ..Change::default() }))
            }
            Step::Expire { limit } => Call::Expire(now, usize::from(*limit)),
            Step::Subscribe { ws, topic: t, users } => {
                append(*ws, Write::Subscribe { topic: topic(*t), users: distinct(users) })
            }
            Step::Unsubscribe { ws, topic: t, users } => {
                append(*ws, Write::Unsubscribe { topic: topic(*t), users: distinct(users) })
            }
            Step::Grant { ws, user: u } => append(*ws, Write::Grant { user: user(*u) }),
            Step::Withdraw { ws, user: u } => append(*ws, Write::Withdraw { user: user(*u) }),
            Step::Retract { ws, nth } => append(*ws, Write::Retract { id: self.nth(*ws, *nth) }),
            Step::Mark { ws, user: u, how, nth, key } => {
                let id = self.nth(*ws, *nth);
                let mark = [Mark::Read(id), Mark::Unread(id), Mark::Archive(id)][usize::from(*how)].clone();
                marked(*ws, *u, mark, *key, now)
            }
            Step::ReadAll { ws, user: u, up_to, key } => {
                marked(*ws, *u, Mark::ReadAll(up_to.map(|n| Seq(n.into()))), *key, now)
            }
            Step::Seen { ws, user: u, up_to } => {
                marked(*ws, *u, Mark::Seen(up_to.map(|n| Seq(n.into()))), None, now)
            }
            Step::Prune { ws, keep, by_age, limit } => {
                let keep = if *by_age {
                    Retention { max_age_ms: Some(i64::from(*keep)), max_entries: None }
                } else {
                    Retention { max_age_ms: None, max_entries: Some(u64::from(*keep)) }
                };
                Call::Prune(workspace(*ws), keep, usize::from(*limit), now)
            }
            Step::Wait => {
                self.clock += IDEMPOTENCY_WINDOW_MS.unsigned_abs() + 1;
                Call::Nothing
            }
            Step::Reopen => Call::Reopen,
        }
    }

    fn living(&self, notification: Notification, life: &Life) -> Arc<Notification> {
        Arc::new(Notification {
            expires_at: life.ttl.map(|ttl| at(self.clock + u64::from(ttl))),
            collapse_key: life.collapse.map(|key| format!("key {key}")),
            ..notification
        })
    }

    fn nth(&self, ws: u8, nth: u16) -> NotificationId {
        let published = &self.published[usize::from(ws)];
        if published.is_empty() { id(0) } else { published[usize::from(nth) % published.len()] }
    }
}

fn marked(ws: u8, by: u8, mark: Mark, key: Option<u8>, now: Timestamp) -> Call {
    let key = key.map(|key| MarkKey { key: format!("key {key}"), said: mark.clone() });
    Call::Mark(workspace(ws), user(by), mark, key, now)
}

/// What a call answered, for comparison: errors by their text.
pub async fn answer(store: &dyn Store, call: &Call) -> String {
    fn show<T: std::fmt::Debug>(result: Result<T, StoreError>) -> String {
        format!("{result:?}")
    }
    match call {
        Call::Append(ws, write, now) => show(store.append(ws, write.clone(), *now).await),
        Call::Mark(ws, user, mark, key, now) => {
            show(store.mark(ws, user, mark.clone(), key.as_ref(), *now).await)
        }
        Call::Prune(ws, keep, limit, now) => loop {
            // How far one call comes is the backend's own business.
            match store.prune(ws, *keep, *limit, *now).await {
                Ok(0) => break String::new(),
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        },
        Call::Expire(now, limit) => loop {
            match store.expire(*now, *limit).await {
                Ok(0) => break String::new(),
                Ok(_) => {}
                Err(error) => break error.to_string(),
            }
        },
        Call::Nothing | Call::Reopen => String::new(),
    }
}

/// How many histories: more by `PROPTEST_CASES`.
pub fn cases(default: u32) -> u32 {
    match ProptestConfig::default().cases {
        256 => default,
        asked => asked,
    }
}

/// Copies what a crash would leave: the database, its WAL and the witness.
pub fn copy_database(from: &std::path::Path, to: &std::path::Path) {
    for file in ["campanile.db", "campanile.db-wal", "campanile.head"] {
        match std::fs::copy(from.join(file), to.join(file)) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                let _ = std::fs::remove_file(to.join(file));
            }
            Err(error) => panic!("cannot copy {file}: {error}"),
        }
    }
}
