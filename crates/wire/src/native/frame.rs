//! What the server says on the native surface. `docs/native.schema.json` is made from these types.

use campanile_model::{
    Change, Counts, Epoch, NotificationId, Position, Receipt, Rev, Seq, Slug, Timestamp, UserId, Withdrawal,
};
use serde::Serialize;

use super::item::{ChangedItem, Item};
use crate::close::Close;
use crate::command::Asked;
use crate::envelopes::{Hello, NotRefreshed, Receipts, Resync};
use crate::surface::{Done, json};
use crate::{Payload, Shown};

/// One message of the server. Clients ignore types and members that they do not know.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "lowercase")]
#[schema(as = ServerFrame)]
pub enum Frame<'a> {
    /// The first message: who is connected, and where the client stands.
    Hello {
        /// Names the connection.
        session: &'a str,
        /// Who is connected.
        #[schema(value_type = String)]
        user: &'a UserId,
        /// Where.
        #[schema(value_type = String)]
        workspace: &'a Slug,
        /// The lineage that places count in; `null`: nothing was ever stored here.
        #[schema(value_type = Option<String>, required)]
        epoch: Option<Epoch>,
        /// The horizon: up to here the client has everything of the user's, or did not ask for it.
        #[schema(value_type = u64)]
        seq: Seq,
        /// The log's head when the counts were taken.
        #[schema(value_type = u64)]
        head: Seq,
        /// The revision of the read state.
        #[schema(value_type = u64)]
        rev: Rev,
        /// Unread notifications of the whole inbox.
        unread: u64,
        /// Those of them that were not seen.
        unseen: u64,
        /// Read up to here, unless a receipt says otherwise.
        #[schema(value_type = u64)]
        #[serde(rename = "readUpTo")]
        read_up_to: Seq,
        /// Seen up to here.
        #[schema(value_type = u64)]
        #[serde(rename = "seenUpTo")]
        seen_up_to: Seq,
        /// Whether the client goes on from where it was.
        resumed: bool,
        /// Milliseconds between two heartbeats.
        #[serde(rename = "heartbeatMs")]
        heartbeat_ms: u64,
        /// When the token expires.
        #[serde(rename = "expiresAt")]
        #[schema(value_type = String, format = DateTime)]
        expires_at: Timestamp,
    },
    /// A new entry.
    Notification {
        /// Its place; `null`: it is in no log.
        #[schema(value_type = Option<u64>, required)]
        seq: Option<Seq>,
        /// What it says.
        item: Item<'a>,
    },
    /// An earlier entry reads like this from here on.
    Update {
        /// The place of the change.
        #[schema(value_type = u64)]
        seq: Seq,
        /// The entry, in its old place.
        item: ChangedItem<'a>,
    },
    /// An earlier entry is gone.
    Retract {
        /// The place of the change.
        #[schema(value_type = u64)]
        seq: Seq,
        /// The entry's id.
        #[schema(value_type = String, format = Uuid)]
        id: NotificationId,
        /// The entry's place.
        #[schema(value_type = u64)]
        #[serde(rename = "itemSeq")]
        item_seq: Seq,
        /// Why: `retracted`, `expired`, or `superseded`, which hides it from those only who had not read it.
        cause: &'static str,
        /// What took its place.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, format = Uuid, nullable = false)]
        by: Option<NotificationId>,
    },
    /// What the user did, here or elsewhere, as a state.
    Receipts {
        /// The revision after it.
        #[schema(value_type = u64)]
        rev: Rev,
        /// The log's head when it was read.
        #[schema(value_type = u64)]
        head: Seq,
        /// Unread notifications of the whole inbox.
        unread: u64,
        /// Those of them that were not seen.
        unseen: u64,
        /// Read up to here, unless a receipt says otherwise.
        #[schema(value_type = u64)]
        #[serde(rename = "readUpTo")]
        read_up_to: Seq,
        /// Seen up to here.
        #[schema(value_type = u64)]
        #[serde(rename = "seenUpTo")]
        seen_up_to: Seq,
        /// Entries that were touched.
        items: Vec<ReceiptFrame>,
    },
    /// The horizon and the counts.
    Heartbeat {
        /// The lineage that places count in.
        #[schema(value_type = Option<String>, required)]
        epoch: Option<Epoch>,
        /// The horizon.
        #[schema(value_type = u64)]
        seq: Seq,
        /// The log's head when the counts were taken.
        #[schema(value_type = u64)]
        head: Seq,
        /// The revision of the read state.
        #[schema(value_type = u64)]
        rev: Rev,
        /// Unread notifications of the whole inbox.
        unread: u64,
        /// Those of them that were not seen.
        unseen: u64,
    },
    /// Something was left out: read the inbox again.
    Resync {
        /// The lineage that places count in.
        #[schema(value_type = Option<String>, required)]
        epoch: Option<Epoch>,
        /// Go on from here.
        #[schema(value_type = u64)]
        seq: Seq,
        /// `epoch`, `position`, `retained`, `too_many` or `overflow`.
        reason: &'static str,
    },
    /// The server ends.
    Drain {
        /// Come back after so many milliseconds.
        #[serde(rename = "retryAfterMs")]
        retry_after_ms: u64,
    },
    /// A command is done.
    Ok {
        /// The command's own.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reference: Option<&'a str>,
        /// Whether anything is different now.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        changed: Option<bool>,
        /// The revision of the read state after it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<u64>, nullable = false)]
        rev: Option<Rev>,
        /// Unread notifications after it.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        unread: Option<u64>,
        /// The log's head that the mark was made at: it came before what stands behind that, and after everything else.
        #[serde(skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<u64>, nullable = false)]
        head: Option<Seq>,
        /// When the new token expires.
        #[serde(rename = "expiresAt", skip_serializing_if = "Option::is_none")]
        #[schema(value_type = Option<String>, format = DateTime, nullable = false)]
        expires_at: Option<Timestamp>,
    },
    /// A command is not done.
    Error {
        /// The command's own.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reference: Option<&'a str>,
        /// `bad_request`, `not_found`, `key_reused`, `token_invalid`, `token_expired` or `token_mismatch`.
        code: &'static str,
        /// For people.
        message: &'a str,
    },
    /// The answer to a ping.
    Pong {
        /// The command's own.
        #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
        #[schema(nullable = false)]
        reference: Option<&'a str>,
    },
    /// The end of an event stream.
    Close {
        /// The code of the registry.
        code: u16,
        /// Its reason.
        reason: &'static str,
    },
}

/// What a user did with one entry.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = ReceiptItem)]
pub struct ReceiptFrame {
    /// The entry's id.
    #[schema(value_type = String, format = Uuid)]
    id: NotificationId,
    /// Its place.
    #[schema(value_type = u64)]
    seq: Seq,
    /// It was shown in a list.
    seen: bool,
    /// It was opened or marked.
    read: bool,
    /// It was put away.
    archived: bool,
}

impl Frame<'_> {
    fn payload(&self) -> Payload {
        let event = match self {
            Self::Hello { .. } => "hello",
            Self::Notification { .. } => "notification",
            Self::Update { .. } => "update",
            Self::Retract { .. } => "retract",
            Self::Receipts { .. } => "receipts",
            Self::Heartbeat { .. } => "heartbeat",
            Self::Resync { .. } => "resync",
            Self::Drain { .. } => "drain",
            Self::Ok { .. } => "ok",
            Self::Error { .. } => "error",
            Self::Pong { .. } => "pong",
            Self::Close { .. } => "close",
        };
        Payload::new(event, json(self))
    }
}

fn at(epoch: Option<Epoch>, seq: Seq) -> Option<Position> {
    epoch.map(|epoch| Position { epoch, seq })
}

pub(super) fn hello(hello: &Hello<'_>) -> Payload {
    let Counts { epoch, head, rev, unread, unseen, read_up_to, seen_up_to } = *hello.counts;
    let frame = Frame::Hello {
        session: hello.session,
        user: hello.user,
        workspace: hello.workspace,
        epoch,
        seq: hello.seq,
        head,
        rev,
        unread,
        unseen,
        read_up_to,
        seen_up_to,
        resumed: hello.resumed,
        heartbeat_ms: hello.heartbeat_ms,
        expires_at: hello.expires_at,
    };
    frame.payload().up_to(at(epoch, hello.seq))
}

pub(super) fn notification(shown: &Shown<'_>) -> Payload {
    let seq = shown.position.map(|position| position.seq);
    let item = Item::new(seq, shown.receipt, shown.superseded, shown.notification);
    Frame::Notification { seq, item }.payload().up_to(shown.position)
}

pub(super) fn change(change: &Change, position: Option<Position>) -> Payload {
    let seq = position.map_or(Seq::ZERO, |position| position.seq);
    let frame = match change {
        Change::Update { target_seq, notification } => {
            let content = (&**notification).into();
            Frame::Update { seq, item: ChangedItem { seq: *target_seq, content } }
        }
        Change::Withdrawn { target, target_seq, why } => {
            let (cause, by) = match why {
                Withdrawal::Retracted => ("retracted", None),
                Withdrawal::Expired => ("expired", None),
                Withdrawal::Superseded { by } => ("superseded", *by),
            };
            Frame::Retract { seq, id: *target, item_seq: *target_seq, cause, by }
        }
    };
    frame.payload().up_to(position)
}

pub(super) fn receipts(receipts: &Receipts<'_>) -> Payload {
    let Counts { head, rev, unread, unseen, read_up_to, seen_up_to, .. } = *receipts.counts;
    let item =
        |&(id, seq, Receipt { seen, read, archived }): &_| ReceiptFrame { id, seq, seen, read, archived };
    let items = receipts.items.iter().map(item).collect();
    Frame::Receipts { rev, head, unread, unseen, read_up_to, seen_up_to, items }.payload()
}

pub(super) fn heartbeat(counts: &Counts, horizon: Seq) -> Payload {
    let Counts { epoch, head, rev, unread, unseen, .. } = *counts;
    Frame::Heartbeat { epoch, seq: horizon, head, rev, unread, unseen }.payload().up_to(at(epoch, horizon))
}

pub(super) fn resync(epoch: Option<Epoch>, seq: Seq, why: Resync) -> Payload {
    Frame::Resync { epoch, seq, reason: why.as_str() }.payload().up_to(at(epoch, seq))
}

pub(super) fn drain(retry_after_ms: u64) -> Payload {
    Frame::Drain { retry_after_ms }.payload()
}

pub(super) fn close(close: &Close) -> Payload {
    Frame::Close { code: close.code, reason: close.reason }.payload()
}

pub(super) fn pong(reference: Option<&str>) -> Payload {
    Frame::Pong { reference }.payload()
}

pub(super) fn marked(done: &Done<'_>) -> Payload {
    let reference = done.asked.reference.as_deref();
    let (changed, rev) = (Some(done.changed), Some(done.rev));
    let (unread, head) = (Some(done.unread), Some(done.head));
    Frame::Ok { reference, changed, rev, unread, head, expires_at: None }.payload()
}

pub(super) fn refreshed(reference: Option<&str>, expires_at: Timestamp) -> Payload {
    let expires_at = Some(expires_at);
    Frame::Ok { reference, changed: None, rev: None, unread: None, head: None, expires_at }.payload()
}

pub(super) fn refused(reference: Option<&str>, why: NotRefreshed) -> Payload {
    let (code, message) = match why {
        NotRefreshed::Invalid => ("token_invalid", "the token is not good here"),
        NotRefreshed::Expired => ("token_expired", "the token has expired"),
        NotRefreshed::Mismatch => {
            ("token_mismatch", "the token is another user's, or opens another workspace")
        }
    };
    Frame::Error { reference, code, message }.payload()
}

pub(super) fn not_marked(asked: &Asked, key_reused: bool) -> Payload {
    let (code, message) = match key_reused {
        true => ("key_reused", "the key was given with another command"),
        false => ("not_found", "you have no such notification"),
    };
    Frame::Error { reference: asked.reference.as_deref(), code, message }.payload()
}

pub(super) fn unknown(why: &str, reference: Option<&str>) -> Payload {
    Frame::Error { reference, code: "bad_request", message: why }.payload()
}
