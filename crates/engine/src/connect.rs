//! Handing a new connection over from the log to live delivery, without a gap or a duplicate.
//!
//! The shard registers the connection first (live entries skip it), then asks [`start`] for one snapshot
//! and what is to be replayed, then [`more`] while there is more, or while entries were emitted meanwhile,
//! and lets it go live at the place the last answer ended. The shard's half is `session::handover`.

use campanile_model::limits::{MAX_REPLAY, MAX_RESUME};
use campanile_model::{
    Change, Counts, Epoch, NotificationId, Position, Rev, Seq, Slug, Timestamp, UserId, Visibility,
    Withdrawal,
};
use campanile_session::Cursor;
use campanile_store::{Item, Snapshot, Store, StoreError, VisibleChange, VisibleChangeKind, VisibleQuery};
use campanile_wire::{Payload, Replay, Resync, Shown, Surface};

use crate::IdSource;

/// Entries read for one page of a catch-up.
const PAGE: usize = 64;
/// Bytes of payloads in one page, but always at least one: half an outbox.
const PAGE_BYTES: usize = 128 * 1024;

/// Where a connection stands after one step of the hand-over.
#[derive(Debug)]
pub struct Step {
    /// The log's head when the step was read; the connection may go live here once `next` is `None`.
    pub head: Seq,
    /// What the user sees, as of `head`.
    pub visibility: Visibility,
    /// What the first message says, on a surface that has one; only of the first step.
    pub welcome: Option<Welcome>,
    /// Messages to send, oldest first.
    pub payloads: Vec<Payload>,
    /// Where the next page begins; `None`: everything up to `head` was given.
    pub next: Option<Cursor>,
}

/// Where a client is told that it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Welcome {
    /// Names the connection.
    pub session: NotificationId,
    /// The counts as of the step's head.
    pub counts: Counts,
    /// Up to where the client has everything, or did not ask for it.
    pub seq: Seq,
    /// The read state that the client has.
    pub rev: Rev,
    /// It goes on from where it was.
    pub resumed: bool,
    /// It asked to, and can't: this is why.
    pub resync: Option<Resync>,
}

/// Who is connecting, and where.
#[derive(Debug, Clone)]
pub struct Reader {
    /// On which surface: how payloads look.
    pub surface: &'static Surface,
    /// In which workspace.
    pub workspace: Slug,
    /// Who.
    pub user: UserId,
}

/// The first step: one snapshot, and the first page of what `replay` asks for.
///
/// # Errors
/// Those of the store; the connection is closed and comes back.
pub async fn start(
    store: &dyn Store,
    ids: &IdSource,
    reader: &Reader,
    replay: Replay,
    now: Timestamp,
) -> Result<Step, StoreError> {
    let (workspace, user) = (&reader.workspace, &reader.user);
    let snapshot = store.snapshot(workspace, user).await?;
    let unread = snapshot.counts.unread;
    let welcome = reader.surface.envelopes.map(|_| welcome(&snapshot, replay, ids(now)));
    let mut page = Page::of(reader.surface, snapshot);
    let resumes = welcome.as_ref().is_some_and(|welcome| welcome.resumed);
    page.step.welcome = welcome;
    match replay {
        Replay::None => {}
        Replay::Unread if unread == 0 => {}
        Replay::Unread => {
            let newest = VisibleQuery {
                after: Seq::ZERO,
                up_to: page.step.head,
                limit: MAX_REPLAY,
                newest_first: true,
                read: Some(false),
                archived: Some(false),
            };
            let mut items = store.visible(workspace, user, newest).await?;
            items.reverse();
            let from = Cursor { unread_only: true, ..Cursor::after(Seq::ZERO) };
            page.take(items.into_iter().map(Told::Item), from);
        }
        Replay::Since(id) => match store.find(workspace, Some(user), id).await {
            Ok(item) => page.read(store, reader, Cursor::after(item.seq)).await?,
            Err(StoreError::NotFound) => page.say_resync(ids(now), now),
            Err(error) => return Err(error),
        },
        Replay::From { seq, .. } if resumes => page.read(store, reader, Cursor::after(seq)).await?,
        Replay::From { .. } => {}
        Replay::Unknown => page.say_resync(ids(now), now),
    }
    Ok(page.step)
}

/// A further step: what `from` asks for, up to the head of a fresh snapshot.
///
/// # Errors
/// Those of the store.
pub async fn more(store: &dyn Store, reader: &Reader, from: Cursor) -> Result<Step, StoreError> {
    let mut page = Page::of(reader.surface, store.snapshot(&reader.workspace, &reader.user).await?);
    page.read(store, reader, from).await?;
    Ok(page.step)
}

/// What a client that says where it was is told.
fn welcome(snapshot: &Snapshot, replay: Replay, session: NotificationId) -> Welcome {
    let counts = snapshot.counts;
    let refused =
        |why| Welcome { session, counts, seq: counts.head, rev: counts.rev, resumed: false, resync: why };
    match replay {
        Replay::From { epoch, seq, rev } => {
            let is_before_all = seq == Seq::ZERO && epoch.is_none();
            match () {
                () if epoch.is_none() && !is_before_all => refused(Some(Resync::Position)),
                () if epoch != counts.epoch && !is_before_all => refused(Some(Resync::Epoch)),
                () if seq > counts.head => refused(Some(Resync::Position)),
                () if seq.next() < snapshot.first => refused(Some(Resync::Retained)),
                // A revision that never was: the whole state is told.
                () => {
                    let rev = rev.map_or(counts.rev, |rev| if rev > counts.rev { Rev(0) } else { rev });
                    Welcome { seq, rev, resumed: true, ..refused(None) }
                }
            }
        }
        Replay::Unknown => refused(Some(Resync::Position)),
        _ => refused(None),
    }
}

/// A step while it is being read.
struct Page {
    surface: &'static Surface,
    epoch: Option<Epoch>,
    step: Step,
}

/// What a client is told of one place in the log.
enum Told {
    Item(Item),
    Change(VisibleChange),
}

impl Told {
    fn seq(&self) -> Seq {
        match self {
            Self::Item(item) => item.seq,
            Self::Change(change) => change.seq,
        }
    }
}

impl Page {
    fn of(surface: &'static Surface, snapshot: Snapshot) -> Self {
        let step = Step {
            head: snapshot.counts.head,
            visibility: snapshot.visibility,
            welcome: None,
            payloads: vec![],
            next: None,
        };
        Self { surface, epoch: snapshot.counts.epoch, step }
    }

    fn say_resync(&mut self, id: NotificationId, now: Timestamp) {
        self.step.payloads.extend(self.surface.resync.map(|resync| resync(id, now)));
    }

    /// Reads what stands after `from`, until the page is full.
    async fn read(&mut self, store: &dyn Store, reader: &Reader, from: Cursor) -> Result<(), StoreError> {
        let (workspace, user, head) = (&reader.workspace, &reader.user, self.step.head);
        let query = VisibleQuery {
            after: from.after,
            up_to: head,
            limit: PAGE,
            newest_first: false,
            read: from.unread_only.then_some(false),
            archived: from.unread_only.then_some(false),
        };
        let items = store.visible(workspace, user, query).await?;
        let changes = match self.surface.envelopes {
            Some(envelopes) => match store.changes(workspace, user, from.after, head, PAGE).await {
                Err(StoreError::Limit { .. }) => {
                    self.step.payloads.push((envelopes.resync)(self.epoch, head, Resync::TooMany));
                    return Ok(());
                }
                changes => changes?,
            },
            None => vec![],
        };
        // What is full ends the page; beyond it, the other list may have places that this one does not know yet.
        let full = |len, last: Option<Seq>| if len == PAGE { last.unwrap_or(head) } else { head };
        let up_to = full(items.len(), items.last().map(|item| item.seq))
            .min(full(changes.len(), changes.last().map(|change| change.seq)));
        let mut told: Vec<Told> =
            items.into_iter().map(Told::Item).chain(changes.into_iter().map(Told::Change)).collect();
        told.retain(|told| told.seq() <= up_to);
        told.sort_by_key(Told::seq);
        let room = match self.surface.envelopes {
            Some(_) => MAX_RESUME.saturating_sub(from.served),
            None => usize::MAX,
        };
        let too_many = told.len() > room;
        told.truncate(room);
        let count = told.len();
        self.take(told.into_iter(), from);
        match self.surface.envelopes {
            _ if self.step.next.is_some() => {}
            Some(envelopes) if too_many => {
                self.step.payloads.push((envelopes.resync)(self.epoch, head, Resync::TooMany));
            }
            _ if up_to < head => {
                self.step.next = Some(Cursor { after: up_to, served: from.served + count, ..from });
            }
            _ => {}
        }
        Ok(())
    }

    /// Encodes until the page is full; what is left over is where the next page begins.
    fn take(&mut self, told: impl Iterator<Item = Told>, from: Cursor) {
        let (mut bytes, mut last) = (0, None);
        for (count, told) in told.enumerate() {
            if bytes >= PAGE_BYTES {
                let next = |after| Cursor { after, served: from.served + count, ..from };
                self.step.next = last.map(next);
                return;
            }
            last = Some(told.seq());
            let position = self.epoch.map(|epoch| Position { epoch, seq: told.seq() });
            let payload = match told {
                Told::Item(Item { notification, receipt, superseded, .. }) => {
                    let shown = Shown { notification: &notification, position, receipt, superseded };
                    Some((self.surface.encode)(&shown))
                }
                Told::Change(change) => {
                    let envelopes = self.surface.envelopes;
                    envelopes
                        .zip(change_of(change.kind))
                        .map(|(tells, change)| (tells.change)(&change, position))
                }
            };
            bytes += payload.as_ref().map_or(0, |payload| payload.text.len());
            self.step.payloads.extend(payload);
        }
    }
}

/// `None`: it changes nothing for this user.
fn change_of(kind: VisibleChangeKind) -> Option<Change> {
    Some(match kind {
        VisibleChangeKind::Update { item } => {
            Change::Update { target_seq: item.seq, notification: item.notification }
        }
        VisibleChangeKind::Retract { target, target_seq, cause } => {
            Change::Withdrawn { target, target_seq, why: cause.into() }
        }
        VisibleChangeKind::Supersede { still_seen: true, .. } => return None,
        VisibleChangeKind::Supersede { target, target_seq, by, still_seen: false } => {
            Change::Withdrawn { target, target_seq, why: Withdrawal::Superseded { by } }
        }
    })
}

#[cfg(test)]
mod tests {
    use campanile_model::Visibility;

    use super::*;

    fn snapshot(epoch: Option<u64>, first: u64, head: u64) -> Snapshot {
        let (unread, unseen, read_up_to, seen_up_to) = (2, 1, Seq(1), Seq(2));
        let (epoch, head, rev) = (epoch.map(Epoch), Seq(head), Rev(5));
        Snapshot {
            first: Seq(first),
            counts: Counts { epoch, head, rev, unread, unseen, read_up_to, seen_up_to },
            visibility: Visibility::default(),
        }
    }

    #[test]
    fn a_position_is_honoured_or_the_reason_is_told() {
        let session = NotificationId::parse("01890a5d-ac96-774b-bcce-b302099a8057").unwrap();
        let told = |snapshot: &Snapshot, epoch: Option<u64>, seq: u64, rev: Option<u64>| {
            let replay = Replay::From { epoch: epoch.map(Epoch), seq: Seq(seq), rev: rev.map(Rev) };
            let welcome = welcome(snapshot, replay, session);
            assert_eq!(welcome.resumed, welcome.resync.is_none());
            (welcome.seq.0, welcome.rev.0, welcome.resync)
        };
        let here = snapshot(Some(7), 4, 9);
        assert_eq!(told(&here, Some(7), 6, Some(3)), (6, 3, None));
        assert_eq!(told(&here, Some(7), 9, None), (9, 5, None));
        assert_eq!(told(&here, Some(7), 3, Some(3)), (3, 3, None));
        assert_eq!(told(&here, Some(7), 6, Some(6)), (6, 0, None), "a revision that never was");
        assert_eq!(told(&here, Some(7), 2, None), (9, 5, Some(Resync::Retained)));
        assert_eq!(told(&here, Some(7), 10, None), (9, 5, Some(Resync::Position)));
        assert_eq!(told(&here, Some(8), 6, None), (9, 5, Some(Resync::Epoch)));
        assert_eq!(told(&here, None, 6, None), (9, 5, Some(Resync::Position)));
        assert_eq!(told(&here, None, 0, None), (9, 5, Some(Resync::Retained)));
        let fresh = snapshot(None, 1, 0);
        assert_eq!(told(&fresh, None, 0, None), (0, 5, None));
        assert_eq!(told(&fresh, Some(7), 6, None), (0, 5, Some(Resync::Epoch)));
        assert_eq!(told(&snapshot(Some(7), 1, 9), None, 0, None), (0, 5, None));
        let unknown = super::welcome(&here, Replay::Unknown, session);
        assert_eq!((unknown.seq, unknown.resync), (Seq(9), Some(Resync::Position)));
        let plain = super::welcome(&here, Replay::None, session);
        assert_eq!((plain.seq, plain.resumed, plain.resync), (Seq(9), false, None));
    }
}
