//! One workspace: its entries and who was subscribed and had access when.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use campanile_model::{
    Cause, Entry, EntryKind, Epoch, Intervals, Notification, NotificationId, Seq, Timestamp, Topic, UserId,
    Visibility, limits,
};

use super::receipts::Receipts;
use crate::{Appended, Change, IDEMPOTENCY_WINDOW_MS, Idempotency, Published, Retention, StoreError, Write};

/// A workspace's log with everything that hangs on it.
pub(super) struct Log {
    epoch: Epoch,
    /// Retained entries, ascending and without a gap up to the head.
    rows: VecDeque<Row>,
    head: Seq,
    pub(super) users: HashMap<UserId, User>,
    keys: HashMap<(UserId, String), Outcome>,
    /// Appended since they were last taken.
    untold: Vec<Entry>,
}

pub(super) struct Row {
    pub(super) entry: Entry,
    committed: Timestamp,
    /// Retracted or expired.
    pub(super) retracted: bool,
    /// Who had read it when it was superseded.
    pub(super) superseded: Option<HashSet<UserId>>,
}

/// What is kept about one user.
#[derive(Default)]
pub(super) struct User {
    topics: HashMap<Topic, Intervals>,
    /// `None`: access was never recorded.
    access: Option<Intervals>,
    pub(super) receipts: Receipts,
}

struct Outcome {
    fingerprint: [u8; 32],
    kept_since: Timestamp,
    appended: Appended,
}

impl User {
    pub(super) fn visibility(&self) -> Visibility {
        Visibility {
            access: self.access.clone().unwrap_or_else(Intervals::always),
            topics: self.topics.clone(),
        }
    }

    fn is_subscribed(&self, topic: &Topic) -> bool {
        self.topics.get(topic).is_some_and(Intervals::is_open)
    }
}

impl Log {
    pub(super) fn new(epoch: Epoch) -> Self {
        Self {
            epoch,
            rows: VecDeque::new(),
            head: Seq::ZERO,
            users: HashMap::new(),
            keys: HashMap::new(),
            untold: Vec::new(),
        }
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.epoch
    }

    pub(super) fn head(&self) -> Seq {
        self.head
    }

    pub(super) fn first(&self) -> Seq {
        self.rows.front().map_or(self.head.next(), |row| row.entry.seq)
    }

    pub(super) fn rows(&self) -> impl DoubleEndedIterator<Item = &Row> {
        self.rows.iter()
    }

    pub(super) fn visibility(&self, user: &UserId) -> Visibility {
        self.users.get(user).map_or_else(Visibility::default, User::visibility)
    }

    pub(super) fn entries(&self, after: Seq, up_to: Seq, limit: usize) -> Vec<Entry> {
        let wanted = |row: &&Row| after < row.entry.seq && row.entry.seq <= up_to;
        self.rows.iter().filter(wanted).filter_map(|row| self.as_told(row)).take(limit).collect()
    }

    /// What was appended since the last call, as it was then.
    pub(super) fn take_untold(&mut self) -> Vec<Entry> {
        std::mem::take(&mut self.untold)
    }

    pub(super) fn row_mut(&mut self, wanted: impl Fn(&Row) -> bool) -> Option<&mut Row> {
        self.rows.iter_mut().find(|row| wanted(row))
    }

    pub(super) fn subscribers(&self, topic: &Topic, after: Option<&UserId>, limit: usize) -> Vec<UserId> {
        let names: BTreeSet<_> =
            self.users.iter().filter(|(_, user)| user.is_subscribed(topic)).map(|(name, _)| name).collect();
        names
            .into_iter()
            .filter(|name| after.is_none_or(|after| *name > after))
            .take(limit)
            .cloned()
            .collect()
    }

    /// The outcome that is kept under the request's key.
    pub(super) fn kept(&self, request: &Idempotency, now: Timestamp) -> Result<Option<Appended>, StoreError> {
        let Some(kept) = self.keys.get(&(request.publisher.clone(), request.key.clone())) else {
            return Ok(None);
        };
        if now.as_millis() - kept.kept_since.as_millis() >= IDEMPOTENCY_WINDOW_MS {
            return Ok(None);
        }
        if kept.fingerprint != request.fingerprint {
            return Err(StoreError::KeyReused);
        }
        Ok(Some(Appended { replayed: true, ..kept.appended.clone() }))
    }

    /// Does `write`, whose key is not kept.
    pub(super) fn append(
        &mut self,
        write: Write,
        now: Timestamp,
        ids: &mut HashSet<NotificationId>,
    ) -> Result<Appended, StoreError> {
        match write {
            Write::Publish { notifications, idempotency } => {
                return self.publish(notifications, idempotency, now, ids);
            }
            Write::Retract { id } => self.retract(id, Cause::Retracted, now)?,
            Write::Change(change) => return self.change(change, now, ids),
            Write::Update { notification, expected } => {
                self.update(notification, expected.as_deref(), now)?
            }
            Write::Subscribe { topic, users } => self.subscribe(&topic, users, now)?,
            Write::Unsubscribe { topic, users } => {
                for user in users {
                    if self.users.get(&user).is_some_and(|u| u.is_subscribed(&topic)) {
                        let seq = self
                            .push(EntryKind::Unsubscribe { topic: topic.clone(), user: user.clone() }, now);
                        self.user(user).topics.entry(topic.clone()).or_default().close(seq);
                    }
                }
            }
            Write::Grant { user } => self.grant(user, now),
            Write::Withdraw { user } => self.withdraw(user, now),
        }
        Ok(Appended {
            epoch: self.epoch,
            published: Vec::new(),
            versions: Vec::new(),
            head: self.head,
            replayed: false,
        })
    }

    fn publish(
        &mut self,
        notifications: Vec<Arc<Notification>>,
        idempotency: Option<Idempotency>,
        now: Timestamp,
        ids: &mut HashSet<NotificationId>,
    ) -> Result<Appended, StoreError> {
        refuse_known_ids(&notifications, ids)?;
        let place = |n: &Arc<Notification>| {
            ids.insert(n.id);
            let seq = self.push(EntryKind::Notification(n.clone()), now);
            Published { id: n.id, seq, timestamp: n.timestamp }
        };
        let published: Vec<_> = notifications.iter().map(place).collect();
        for (notification, Published { seq, .. }) in notifications.iter().zip(&published) {
            self.supersede_older(notification, *seq, now);
        }
        let appended =
            Appended { epoch: self.epoch, published, versions: Vec::new(), head: self.head, replayed: false };
        self.keep(idempotency, &appended, now);
        Ok(appended)
    }

    fn keep(&mut self, idempotency: Option<Idempotency>, appended: &Appended, now: Timestamp) {
        if let Some(Idempotency { publisher, key, fingerprint }) = idempotency {
            let outcome = Outcome { fingerprint, kept_since: now, appended: appended.clone() };
            self.keys.insert((publisher, key), outcome);
        }
    }

    /// Does all of it but the documents.
    fn change(
        &mut self,
        change: Change,
        now: Timestamp,
        ids: &mut HashSet<NotificationId>,
    ) -> Result<Appended, StoreError> {
        refuse_known_ids(&change.notifications, ids)?;
        for user in change.grant {
            self.grant(user, now);
        }
        let mut appended = self.publish(change.notifications, None, now, ids)?;
        for id in change.resolve {
            self.supersede(id, None, now);
        }
        for user in change.withdraw {
            self.withdraw(user, now);
        }
        appended.head = self.head;
        self.keep(change.idempotency.map(|request| *request), &appended, now);
        Ok(appended)
    }

    fn grant(&mut self, user: UserId, now: Timestamp) {
        match &self.user(user.clone()).access {
            Some(access) if access.is_open() => {}
            Some(_) => {
                let seq = self.push(EntryKind::Grant { user: user.clone() }, now);
                self.user(user).access.get_or_insert_default().open(seq);
            }
            None => {
                self.push(EntryKind::Grant { user: user.clone() }, now);
                self.user(user).access = Some(Intervals::always());
            }
        }
    }

    fn withdraw(&mut self, user: UserId, now: Timestamp) {
        if self.visibility(&user).access.is_open() {
            let seq = self.push(EntryKind::Withdraw { user: user.clone() }, now);
            self.user(user).access.get_or_insert_with(Intervals::always).close(seq);
        }
    }

    fn subscribe(&mut self, topic: &Topic, users: Vec<UserId>, now: Timestamp) -> Result<(), StoreError> {
        let full = |user: &User| {
            !user.is_subscribed(topic)
                && user.topics.values().filter(|t| t.is_open()).count() >= limits::MAX_TOPICS_PER_USER
        };
        if users.iter().any(|name| self.users.get(name).is_some_and(full)) {
            return Err(StoreError::Limit { what: "topics of one user", limit: limits::MAX_TOPICS_PER_USER });
        }
        for user in users {
            if !self.user(user.clone()).is_subscribed(topic) {
                let seq = self.push(EntryKind::Subscribe { topic: topic.clone(), user: user.clone() }, now);
                self.user(user).topics.entry(topic.clone()).or_default().open(seq);
            }
        }
        Ok(())
    }

    /// Removes a prefix of at most `limit` rows, and the receipts of what went.
    pub(super) fn prune(
        &mut self,
        keep: Retention,
        limit: usize,
        now: Timestamp,
        ids: &mut HashSet<NotificationId>,
    ) -> usize {
        let mut gone = 0;
        while let Some(oldest) = self.rows.front().filter(|_| gone < limit) {
            let age = now.as_millis() - oldest.committed.as_millis();
            let too_old = keep.max_age_ms.is_some_and(|max| age > max);
            let too_many = keep.max_entries.is_some_and(|max| self.rows.len() as u64 > max);
            if !too_old && !too_many {
                break;
            }
            if let EntryKind::Notification(n) = &oldest.entry.kind {
                ids.remove(&n.id);
            }
            self.rows.pop_front();
            gone += 1;
        }
        let first = self.first();
        self.users.values_mut().for_each(|user| user.receipts.forget_before(first));
        gone
    }

    pub(super) fn push(&mut self, kind: EntryKind, now: Timestamp) -> Seq {
        self.head = self.head.next();
        self.untold.push(Entry { seq: self.head, kind: kind.clone() });
        let entry = Entry { seq: self.head, kind: kind.without_withdrawn() };
        self.rows.push_back(Row { entry, committed: now, retracted: false, superseded: None });
        self.head
    }

    fn user(&mut self, name: UserId) -> &mut User {
        self.users.entry(name).or_default()
    }
}

fn refuse_known_ids(
    notifications: &[Arc<Notification>],
    ids: &HashSet<NotificationId>,
) -> Result<(), StoreError> {
    match notifications.iter().find(|n| ids.contains(&n.id)) {
        Some(taken) => Err(crate::validate::id_is_taken(taken)),
        None => Ok(()),
    }
}

impl Row {
    /// The notification, unless it was retracted.
    pub(super) fn notification(&self) -> Option<&Arc<Notification>> {
        match &self.entry.kind {
            EntryKind::Notification(n) if !self.retracted => Some(n),
            _ => None,
        }
    }

    /// The notification, unless it was retracted or superseded.
    pub(super) fn live(&self) -> Option<&Arc<Notification>> {
        self.notification().filter(|_| self.superseded.is_none())
    }
}

/// Receipts by entry: kept here as a map, since the reference knows no watermark.
pub(super) type BySeq<T> = BTreeMap<Seq, T>;
