//! What every backend promises.

use std::sync::Arc;

use async_trait::async_trait;
use campanile_model::{
    Cause, Counts, Entry, Epoch, Notification, NotificationId, Receipt, Rev, Seq, Slug, Timestamp, Topic,
    UserId, Visibility,
};
use tokio::sync::broadcast;

use crate::{DocumentWrite, Documents, Mark, MarkKey, Marked, Marking, ReadState, StoreError};

/// A durable home for workspaces' logs and their users' receipts.
///
/// # Atomicity and order
/// [`append`](Store::append) is all or nothing. Entries of one workspace are numbered without a gap, in the
/// order of their commits; one call's entries are consecutive, in array order. A workspace comes to be with
/// its first durable write and gets a random epoch then.
///
/// # Durability
/// When `append`, `mark` or `prune` returns `Ok`, the effect survives the loss of power (as far as the disk
/// honours a flush; the memory backend promises nothing past the process). When it returns an error, nothing
/// was written, with one exception: after [`StoreError::Unavailable`] a write may or may not have been
/// committed, and repeating it under the same idempotency key tells.
///
/// # Isolation
/// Every method takes the workspace, and every read of a user's entries takes the user: nothing crosses
/// either. Reads see one commit, never half of one; a read that starts after a write returned sees it.
///
/// # Visibility
/// Whether a user sees an entry is decided by [`Visibility::sees`] as of the snapshot read, and in all of
/// `visible`, `find`, `snapshot` (unread) and `mark` alike. Entries that were retracted or have expired are seen
/// by nobody. One that was superseded is seen only by those who had read it when it was, and marking it unread
/// changes nothing.
///
/// # Erasure
/// What was withdrawn, expired, said anew, deleted or pruned is read by nobody from then on. Its bytes leave a durable backend's
/// files soon after, at the latest when it is closed; how soon, and where they may stay, the backend says
/// ([`Config::wal_age`](crate::Config::wal_age), docs/operations.md).
///
/// # Cancel safety
/// A dropped future may or may not have taken effect, never half of it.
#[async_trait]
pub trait Store: Documents {
    /// Commits `write` to `workspace`, which is created if this is its first. `now` dates idempotency keys.
    ///
    /// Publishing or changing under an idempotency key that was kept within [`IDEMPOTENCY_WINDOW_MS`] returns the first
    /// call's outcome with `replayed` set and without versions, and writes nothing: the key is judged before all else.
    /// Two calls in flight with one key join.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`], [`StoreError::NotFound`] (update, retract), [`StoreError::Conflict`] (change),
    /// [`StoreError::Changed`] (update),
    /// [`StoreError::Limit`], and those of the backend: `Busy`, `Full`, `Unavailable`.
    async fn append(&self, workspace: &Slug, write: Write, now: Timestamp) -> Result<Appended, StoreError>;

    /// The outcome that [`append`](Store::append) would replay under the request's key; `None`: it would do the request.
    ///
    /// # Errors
    /// [`StoreError::KeyReused`].
    async fn kept(
        &self,
        workspace: &Slug,
        request: &Idempotency,
        now: Timestamp,
    ) -> Result<Option<Appended>, StoreError>;

    /// What a connection starts from, read in one snapshot. A workspace that was never written to has
    /// epoch `None`, head 0 and nothing unread.
    async fn snapshot(&self, workspace: &Slug, user: &UserId) -> Result<Snapshot, StoreError>;

    /// Every entry of `(after, up_to]`, ascending, at most `limit`, for the follower. Entries below the
    /// retained prefix are simply absent; the own entry of a notification that was retracted, has expired or
    /// was superseded is absent too. One that was updated reads as it is now.
    async fn entries(
        &self,
        workspace: &Slug,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<Entry>, StoreError>;

    /// What was said in `(after, up_to]` of notifications that reach `user`, ascending, at most `limit`: whoever asks
    /// for one more than it can take notices that there is more. Together with [`visible`](Store::visible) it
    /// brings whoever had everything up to `after` to what the user sees.
    ///
    /// A notification reaches those who would see it if nothing had become of it, as they have access now. Left out is
    /// what says nothing to somebody who had everything up to `after`: updates of what the user no longer sees, and
    /// all of one notification but the newest; a retraction of what itself stands in the range, and likewise a
    /// supersession unless the user still sees the target. What was said of entries below the retained prefix
    /// is left out too: nobody knows any more whom they reached.
    ///
    /// # Errors
    /// [`StoreError::Limit`] if more than [`MAX_CHANGES_READ`] such entries stand in the range, whomever they reach: each
    /// has to be looked at.
    async fn changes(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Seq,
        up_to: Seq,
        limit: usize,
    ) -> Result<Vec<VisibleChange>, StoreError>;

    /// The notifications of `(after, up_to]` that `user` sees, with what the user did with each.
    /// Ascending unless `newest_first`; at most `limit`; only unread ones if `unread_only`.
    async fn visible(
        &self,
        workspace: &Slug,
        user: &UserId,
        query: VisibleQuery,
    ) -> Result<Vec<Item>, StoreError>;

    /// One notification by id: what `user` sees of it if a user is given, else as a producer sees it.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if there is none, it was retracted, or `user` does not see it.
    async fn find(
        &self,
        workspace: &Slug,
        user: Option<&UserId>,
        id: NotificationId,
    ) -> Result<Item, StoreError>;

    /// Changes `user`'s read state. Idempotent: doing what is already so returns `changed: false` and the
    /// present `rev`; anything else is one new `rev`.
    ///
    /// A mark with a key is done once: a key of the user that was kept within [`IDEMPOTENCY_WINDOW_MS`] does nothing
    /// and returns `changed: false` with the counts of now. It is judged before all else, and kept with the mark in
    /// one transaction, also where the mark changed nothing; not where it was refused, nor in a workspace that was
    /// never written to. Of a user at most the newest [`MAX_MARK_KEYS`](crate::MAX_MARK_KEYS) are kept. They never meet the keys of
    /// `append`. `now` dates them.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if a named entry is not one that `user` sees; [`StoreError::KeyReused`] if the key was
    /// of another mark; [`StoreError::Limit`] if it is too long.
    async fn mark(
        &self,
        workspace: &Slug,
        user: &UserId,
        mark: Mark,
        key: Option<&MarkKey>,
        now: Timestamp,
    ) -> Result<Marked, StoreError>;

    /// What `user` did after the revision `after`, read in one snapshot: the watermarks, and the receipts of entries
    /// that the user still sees and whose receipt changed after it, ascending by revision, at most `limit`.
    ///
    /// It is a state, not a history: whoever knew the user's read state as of `after` and applies this knows it as of
    /// `rev`, for every entry that the user sees. Applying is, in this order: entries above the `read_up_to` known so
    /// far, up to the new one, are read and so seen; those above the `seen_up_to` known so far, up to the new one, are
    /// seen; each of `items` is as it says. Nothing known is the state of revision 0, both watermarks 0.
    ///
    /// While the user has no access, nothing is told: `rev` is not above `after` then.
    async fn receipts(
        &self,
        workspace: &Slug,
        user: &UserId,
        after: Rev,
        limit: usize,
    ) -> Result<ReadState, StoreError>;

    /// Subscribers of a topic by name, ascending, after `after`, at most `limit`.
    async fn subscribers(
        &self,
        workspace: &Slug,
        topic: &Topic,
        after: Option<&UserId>,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError>;

    /// Removes the oldest entries of `workspace` that `keep` does not cover, a prefix, in steps of at most
    /// `limit` rows a call; returns how many went. Zero: nothing is left to do. Counts, ordinals and
    /// positions of what remains do not change. `now` ages the entries.
    async fn prune(
        &self,
        workspace: &Slug,
        keep: Retention,
        limit: usize,
        now: Timestamp,
    ) -> Result<usize, StoreError>;

    /// Withdraws at most `limit` notifications whose `expires_at` is at `now` or before, of every workspace,
    /// the longest due first, each by an [`EntryKind::Retract`](campanile_model::EntryKind::Retract) entry;
    /// returns how many. Zero: nothing is left to do, and no write was queued.
    async fn expire(&self, now: Timestamp, limit: usize) -> Result<usize, StoreError>;

    /// Every workspace with its epoch, first retained and last entry.
    async fn heads(&self) -> Result<Vec<Head>, StoreError>;

    /// Commits from now on, in commit order, of all workspaces: what was appended, and which marks changed
    /// something. A reader that falls behind by more than the channel's capacity is told so
    /// ([`broadcast::error::RecvError::Lagged`]) and reads `entries` instead.
    ///
    /// Entries are told completely; marks are hints. A mark is told after every entry that was durable before it.
    /// It goes untold where a reader lagged or the store recovered from a failure: whoever shows read state
    /// compares revisions from time to time besides.
    fn commits(&self) -> broadcast::Receiver<Arc<Commit>>;

    /// Whether writes are taken now; `Err` names why not.
    fn health(&self) -> Result<(), StoreError>;

    /// Lets what is queued commit, then closes every handle. Later writes get `Unavailable`.
    async fn close(&self);
}

/// How long an idempotency key is kept: 24 hours (protocol §6).
pub const IDEMPOTENCY_WINDOW_MS: i64 = 24 * 60 * 60 * 1000;

/// How many updates, retractions and supersessions one read of [`Store::changes`] looks at: some tens of milliseconds
/// of a reader.
pub const MAX_CHANGES_READ: usize = 10_000;

/// Something to commit.
#[derive(Debug, Clone)]
pub enum Write {
    /// One or more notifications, consecutive in the log. One with a `collapse_key` supersedes the newest
    /// earlier one of the same key, audience and exceptions, within this write too; what it supersedes is said
    /// by [`EntryKind::Supersede`](campanile_model::EntryKind::Supersede) entries after the write's last
    /// notification.
    Publish {
        /// At least one.
        notifications: Vec<Arc<Notification>>,
        /// The caller's promise that a repetition is the same request.
        idempotency: Option<Idempotency>,
    },
    /// What a source changed and what it caused, all or nothing.
    Change(Change),
    /// Says one notification anew, in its old place: its id, audience, exceptions and time of publishing stay.
    /// What users did with it stays too.
    Update {
        /// The whole notification as it is to be read from here on.
        notification: Arc<Notification>,
        /// As it is expected to read, where it was made from that; `None`: however it does.
        expected: Option<Arc<Notification>>,
    },
    /// Withdraws one notification: its body is erased, a tombstone stays.
    Retract {
        /// Which.
        id: NotificationId,
    },
    /// Subscribes users to a topic. Users already subscribed write nothing.
    Subscribe {
        /// What to.
        topic: Topic,
        /// Who, each once.
        users: Vec<UserId>,
    },
    /// Ends subscriptions. Users not subscribed write nothing.
    Unsubscribe {
        /// What from.
        topic: Topic,
        /// Who, each once.
        users: Vec<UserId>,
    },
    /// Records that a user has access from here on. The first record of a user found without any: their
    /// access until here counts as withdrawn only if `Withdraw` came first; a `Grant` first changes nothing
    /// but is recorded.
    Grant {
        /// Who.
        user: UserId,
    },
    /// Records that a user has no access from here on.
    Withdraw {
        /// Who.
        user: UserId,
    },
}

/// What a source writes in one transaction, in this order. The documents' expectations are judged first.
#[derive(Debug, Clone, Default)]
pub struct Change {
    /// Who has access from here on, as of [`Write::Grant`], so that they see what follows.
    pub grant: Vec<UserId>,
    /// Each kind and id once; at most [`MAX_DOCUMENTS_PER_CHANGE`](crate::MAX_DOCUMENTS_PER_CHANGE).
    pub documents: Vec<DocumentWrite>,
    /// As of [`Write::Publish`]; may be none.
    pub notifications: Vec<Arc<Notification>>,
    /// Notifications that no longer hold: only those who had read them still see them. Unknown, retracted and
    /// superseded ones are passed over. At most [`MAX_RESOLVED_PER_CHANGE`](crate::MAX_RESOLVED_PER_CHANGE).
    pub resolve: Vec<NotificationId>,
    /// Who has no access from here on, as of [`Write::Withdraw`].
    pub withdraw: Vec<UserId>,
    /// As of [`Write::Publish`]; one key is of one request, whichever of both it was.
    pub idempotency: Option<Box<Idempotency>>,
}

/// Names a request so that its repetition is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Idempotency {
    /// Whose key it is: keys of two publishers never meet.
    pub publisher: UserId,
    /// The key, at most 255 bytes.
    pub key: String,
    /// A digest of the request's body; another one under the same key is refused.
    pub fingerprint: [u8; 32],
}

/// What an append did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Appended {
    /// The lineage of the log.
    pub epoch: Epoch,
    /// Ids, places and times of published notifications in array order; empty for other writes.
    pub published: Vec<Published>,
    /// The versions of a change's documents in array order, 0 for one that was deleted; empty for other writes, and of
    /// what is replayed.
    pub versions: Vec<u64>,
    /// The log's head after the write.
    pub head: Seq,
    /// The outcome was remembered under an idempotency key; nothing was written now.
    pub replayed: bool,
}

/// A committed notification as its producer is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Published {
    /// Its id.
    pub id: NotificationId,
    /// Its place.
    pub seq: Seq,
    /// When the server took it.
    pub timestamp: Timestamp,
}

/// What a connection or an inbox starts from.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The oldest retained entry; head + 1 where nothing is retained.
    pub first: Seq,
    /// Where the user's read state stands. What is known of entries by its watermarks and by receipts together is the
    /// same in every backend; how it is divided between both is not.
    pub counts: Counts,
    /// What the user sees.
    pub visibility: Visibility,
}

/// Which of a user's notifications to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VisibleQuery {
    /// Exclusive lower bound.
    pub after: Seq,
    /// Inclusive upper bound; above the head is the head.
    pub up_to: Seq,
    /// At most this many, at least one.
    pub limit: usize,
    /// From the upper bound down instead of from the lower up.
    pub newest_first: bool,
    /// Read state asked for; `None`: whatever it is.
    pub read: Option<bool>,
    /// Archived or not; `None`: both.
    pub archived: Option<bool>,
}

/// A notification as one user sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its place.
    pub seq: Seq,
    /// Its body.
    pub notification: Arc<Notification>,
    /// What the user did with it.
    pub receipt: Receipt,
    /// It was superseded: this user still sees it, having read it before.
    pub superseded: bool,
}

/// What an entry of the log says of a notification that reached a user.
#[derive(Debug, Clone, PartialEq)]
pub struct VisibleChange {
    /// The place of what is said, not of what it is said of.
    pub seq: Seq,
    /// What.
    pub kind: VisibleChangeKind,
}

/// What became of a notification.
#[derive(Debug, Clone, PartialEq)]
pub enum VisibleChangeKind {
    /// It was said anew.
    Update {
        /// As it reads now, in its old place.
        item: Item,
    },
    /// It was withdrawn.
    Retract {
        /// Its id.
        target: NotificationId,
        /// Its place.
        target_seq: Seq,
        /// Why.
        cause: Cause,
    },
    /// It no longer holds.
    Supersede {
        /// Its id.
        target: NotificationId,
        /// Its place.
        target_seq: Seq,
        /// What took its place; `None`: it was resolved.
        by: Option<NotificationId>,
        /// The user sees it all the same, having read it before.
        still_seen: bool,
    },
}

/// What to keep. An entry is removed if either bound no longer covers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Milliseconds an entry is kept; `None`: for ever.
    pub max_age_ms: Option<i64>,
    /// Newest entries kept; `None`: all.
    pub max_entries: Option<u64>,
}

/// Where a workspace's log stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose.
    pub workspace: Slug,
    /// Its lineage.
    pub epoch: Epoch,
    /// The oldest retained entry.
    pub first: Seq,
    /// The newest.
    pub seq: Seq,
}

/// What became durable together in one workspace: entries, marks or both.
#[derive(Debug, Clone, PartialEq)]
pub struct Commit {
    /// Whose log.
    pub workspace: Slug,
    /// Its lineage.
    pub epoch: Epoch,
    /// Ascending, without a gap, directly after the entries of the workspace's commits before. May be none.
    pub entries: Vec<Entry>,
    /// Marks that changed something, in their order.
    pub marks: Vec<Marking>,
}
