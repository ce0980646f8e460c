//! What users see of a log and what they did with it.

use std::collections::HashMap;
use std::sync::Arc;

use campanile_model::{Counts, Notification, NotificationId, Receipt, Rev, Seq, Timestamp, UserId};

use super::log::{BySeq, Log};
use crate::{
    IDEMPOTENCY_WINDOW_MS, Item, MAX_MARK_KEYS, Mark, MarkKey, Marked, ReadState, ReceiptChange, Snapshot,
    StoreError, VisibleQuery,
};

/// One user's receipts, one by one: no watermark decides.
#[derive(Default)]
pub(super) struct Receipts {
    rev: Rev,
    by_seq: BySeq<Receipt>,
    /// The revision that last changed one otherwise than by moving a watermark over it.
    changed: BySeq<Rev>,
    /// How far everything was read and seen at once: for being told.
    read_up_to: Seq,
    seen_up_to: Seq,
    keys: HashMap<String, KeptKey>,
    last_key: u64,
}

/// A mark that was done under a key.
struct KeptKey {
    said: Mark,
    kept_since: Timestamp,
    number: u64,
}

impl Receipts {
    pub(super) fn of(&self, seq: Seq) -> Receipt {
        self.by_seq.get(&seq).copied().unwrap_or_default()
    }

    pub(super) fn forget_before(&mut self, first: Seq) {
        self.by_seq = self.by_seq.split_off(&first);
        self.changed = self.changed.split_off(&first);
    }

    /// Whether a mark was done under the key.
    fn is_kept(&self, key: &MarkKey, now: Timestamp) -> Result<bool, StoreError> {
        let is_young =
            |kept: &&KeptKey| now.as_millis() - kept.kept_since.as_millis() < IDEMPOTENCY_WINDOW_MS;
        match self.keys.get(&key.key).filter(is_young) {
            Some(kept) if kept.said != key.said => Err(StoreError::KeyReused),
            kept => Ok(kept.is_some()),
        }
    }

    fn keep(&mut self, key: &MarkKey, now: Timestamp) {
        self.last_key += 1;
        let kept = KeptKey { said: key.said.clone(), kept_since: now, number: self.last_key };
        self.keys.insert(key.key.clone(), kept);
        self.keys.retain(|_, kept| kept.number + MAX_MARK_KEYS > self.last_key);
    }

    /// Takes note of what a mark changed, at these places.
    fn count(&mut self, mark: &Mark, head: Seq, places: &[Seq]) {
        if places.is_empty() {
            return;
        }
        self.rev.0 += 1;
        let told_by = match mark {
            Mark::Read(_) | Mark::Unread(_) | Mark::Archive(_) => Seq(u64::MAX),
            Mark::ReadAll(_) => self.read_up_to,
            Mark::Seen(_) => self.read_up_to.max(self.seen_up_to),
        };
        self.changed.extend(places.iter().filter(|seq| **seq <= told_by).map(|seq| (*seq, self.rev)));
        match mark {
            Mark::ReadAll(up_to) => self.read_up_to = self.read_up_to.max(up_to.unwrap_or(head).min(head)),
            Mark::Seen(up_to) => self.seen_up_to = self.seen_up_to.max(up_to.unwrap_or(head).min(head)),
            Mark::Read(_) | Mark::Unread(_) | Mark::Archive(_) => {}
        }
    }
}

impl Log {
    /// Everything the user sees, ascending.
    fn seen_by(&self, user: &UserId) -> Vec<Item> {
        let visibility = self.visibility(user);
        let visible = |seq: Seq, n: &Arc<Notification>| visibility.sees(user, seq, n);
        self.rows()
            .filter(|row| row.superseded.as_ref().is_none_or(|readers| readers.contains(user)))
            .filter_map(|row| Some((row, row.notification()?)))
            .filter(|(row, n)| visible(row.entry.seq, n))
            .map(|(row, n)| Item {
                seq: row.entry.seq,
                notification: Arc::clone(n),
                receipt: self.receipt(user, row.entry.seq),
                superseded: row.superseded.is_some(),
            })
            .collect()
    }

    fn receipt(&self, user: &UserId, seq: Seq) -> Receipt {
        self.users.get(user).map_or_else(Receipt::default, |u| u.receipts.of(seq))
    }

    fn unread(&self, user: &UserId) -> u64 {
        self.seen_by(user).iter().filter(|item| !item.receipt.read).count() as u64
    }

    pub(super) fn snapshot(&self, user: &UserId) -> Snapshot {
        let seen = self.seen_by(user);
        let receipts = self.users.get(user).map(|user| &user.receipts);
        Snapshot {
            first: self.first(),
            counts: Counts {
                epoch: Some(self.epoch()),
                head: self.head(),
                rev: receipts.map_or(Rev(0), |receipts| receipts.rev),
                unread: seen.iter().filter(|item| !item.receipt.read).count() as u64,
                unseen: seen.iter().filter(|item| !item.receipt.read && !item.receipt.seen).count() as u64,
                read_up_to: receipts.map_or(Seq::ZERO, |receipts| receipts.read_up_to),
                seen_up_to: receipts
                    .map_or(Seq::ZERO, |receipts| receipts.seen_up_to.max(receipts.read_up_to)),
            },
            visibility: self.visibility(user),
        }
    }

    pub(super) fn receipts(&self, user: &UserId, after: Rev, limit: usize) -> ReadState {
        let now = self.snapshot(user);
        let changed = |item: &Item| {
            let rev = *self.users.get(user)?.receipts.changed.get(&item.seq)?;
            let change = ReceiptChange { id: item.notification.id, seq: item.seq, receipt: item.receipt };
            (rev > after).then_some((rev, change))
        };
        let mut items: Vec<_> = self.seen_by(user).iter().filter_map(changed).collect();
        items.sort_by_key(|(rev, change)| (*rev, change.seq));
        let rev = now.counts.rev;
        let rev = if now.visibility.access.is_open() { rev } else { after.min(rev) };
        ReadState {
            counts: Counts { rev, ..now.counts },
            more: items.len() > limit,
            items: items.into_iter().take(limit).map(|(_, change)| change).collect(),
        }
    }

    pub(super) fn visible(&self, user: &UserId, query: VisibleQuery) -> Vec<Item> {
        let mut items = self.seen_by(user);
        items.retain(|item| {
            query.after < item.seq
                && item.seq <= query.up_to
                && query.read.is_none_or(|read| item.receipt.read == read)
                && query.archived.is_none_or(|archived| item.receipt.archived == archived)
        });
        if query.newest_first {
            items.reverse();
        }
        items.truncate(query.limit);
        items
    }

    pub(super) fn find(&self, user: Option<&UserId>, id: NotificationId) -> Option<Item> {
        match user {
            Some(user) => self.seen_by(user).into_iter().find(|item| item.notification.id == id),
            None => {
                self.rows().filter_map(|row| Some((row, row.notification()?))).find(|(_, n)| n.id == id).map(
                    |(row, n)| Item {
                        seq: row.entry.seq,
                        notification: Arc::clone(n),
                        receipt: Receipt::default(),
                        superseded: row.superseded.is_some(),
                    },
                )
            }
        }
    }

    pub(super) fn mark(
        &mut self,
        user: &UserId,
        mark: Mark,
        key: Option<&MarkKey>,
        now: Timestamp,
    ) -> Result<Marked, StoreError> {
        let is_kept = |key| self.users.get(user).map_or(Ok(false), |user| user.receipts.is_kept(key, now));
        if key.map_or(Ok(false), is_kept)? {
            return Ok(self.marked(user, false));
        }
        let seen = self.seen_by(user);
        let change: fn(&mut Receipt) = match mark {
            Mark::Read(_) | Mark::ReadAll(_) => |r| (r.seen, r.read) = (true, true),
            Mark::Unread(_) => |r| (r.read, r.archived) = (false, false),
            Mark::Archive(_) => |r| *r = Receipt { seen: true, read: true, archived: true },
            Mark::Seen(_) => |r| r.seen = true,
        };
        let marked: Vec<Item> = match mark {
            Mark::Read(id) | Mark::Unread(id) | Mark::Archive(id) => {
                vec![seen.into_iter().find(|item| item.notification.id == id).ok_or(StoreError::NotFound)?]
            }
            Mark::ReadAll(up_to) | Mark::Seen(up_to) => {
                let up_to = up_to.unwrap_or(self.head());
                seen.into_iter().filter(|item| item.seq <= up_to).collect()
            }
        };
        let (mut changed, head) = (Vec::new(), self.head());
        let receipts = &mut self.users.entry(user.clone()).or_default().receipts;
        for item in marked {
            let mut receipt = item.receipt;
            change(&mut receipt);
            if item.superseded && !receipt.read {
                continue;
            }
            if receipt != item.receipt {
                changed.push(item.seq);
            }
            receipts.by_seq.insert(item.seq, receipt);
        }
        receipts.count(&mark, head, &changed);
        if let Some(key) = key {
            receipts.keep(key, now);
        }
        Ok(self.marked(user, !changed.is_empty()))
    }

    fn marked(&self, user: &UserId, changed: bool) -> Marked {
        let rev = self.users.get(user).map_or(Rev(0), |user| user.receipts.rev);
        Marked { changed, rev, unread: self.unread(user), head: self.head() }
    }
}
