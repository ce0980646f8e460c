//! What users see of a log and what they did with it.

use std::sync::Arc;

use campanile_model::{Notification, NotificationId, Receipt, Rev, Seq, UserId};

use super::log::{BySeq, Log};
use crate::{Item, Mark, Marked, Snapshot, StoreError, VisibleQuery};

/// One user's receipts, one by one: no watermark.
#[derive(Default)]
pub(super) struct Receipts {
    rev: Rev,
    by_seq: BySeq<Receipt>,
}

impl Receipts {
    pub(super) fn of(&self, seq: Seq) -> Receipt {
        self.by_seq.get(&seq).copied().unwrap_or_default()
    }

    pub(super) fn forget_before(&mut self, first: Seq) {
        self.by_seq = self.by_seq.split_off(&first);
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
        Snapshot {
            epoch: Some(self.epoch()),
            first: self.first(),
            head: self.head(),
            rev: self.users.get(user).map_or(Rev(0), |u| u.receipts.rev),
            unread: seen.iter().filter(|item| !item.receipt.read).count() as u64,
            unseen: seen.iter().filter(|item| !item.receipt.read && !item.receipt.seen).count() as u64,
            visibility: self.visibility(user),
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

    pub(super) fn mark(&mut self, user: &UserId, mark: Mark) -> Result<Marked, StoreError> {
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
        let mut changed = false;
        let receipts = &mut self.users.entry(user.clone()).or_default().receipts;
        for item in marked {
            let mut receipt = item.receipt;
            change(&mut receipt);
            if item.superseded && !receipt.read {
                continue;
            }
            changed |= receipt != item.receipt;
            receipts.by_seq.insert(item.seq, receipt);
        }
        receipts.rev.0 += u64::from(changed);
        let rev = receipts.rev;
        Ok(Marked { changed, rev, unread: self.unread(user), head: self.head() })
    }
}
