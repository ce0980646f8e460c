//! What makes one surface differ from another.

use campanile_model::{Epoch, NotificationId, Rev, Seq, Timestamp, UserId};

use crate::close::Close;
use crate::command::Asked;
use crate::envelopes::Envelopes;
use crate::{Command, Payload, Shown};

/// One wire protocol in front of the core, as a value.
pub struct Surface {
    /// For logs and metrics.
    pub name: &'static str,
    /// Its place in [`crate::SURFACES`], for tables by surface.
    pub index: usize,
    /// Where it answers upgrades.
    pub paths: &'static [&'static str],
    /// The query parameter that carries the token.
    pub token_parameter: &'static str,
    /// The query parameter that names the workspace; `None`: the configured one.
    pub workspace_parameter: Option<&'static str>,
    /// Whether the token may come in an `Authorization` header.
    pub takes_bearer: bool,
    /// The WebSocket subprotocol it is offered by. A client may offer none, but not others alone.
    pub subprotocol: Option<&'static str>,
    /// How messages stand on the connection.
    pub framing: Framing,
    /// Whether a token must name the workspace in its `workspaces` claim even to open this surface.
    pub needs_workspaces_claim: bool,
    /// How it says no.
    pub refusals: Refusals,
    /// What happens when a user opens one socket too many.
    pub crowding: Crowding,
    /// What a client gets of the past when it asks for nothing.
    pub replay: Replay,
    /// By what a client says where it was.
    pub resumption: Resumption,
    /// The first frame's payload, if there is one before any notification.
    pub greeting: Option<fn(&UserId) -> Payload>,
    /// A notification.
    pub encode: fn(&Shown<'_>) -> Payload,
    /// What says "read it all again", with an id and a time of its own; `None` where clients can't resume, or are
    /// told by an envelope.
    pub resync: Option<fn(NotificationId, Timestamp) -> Payload>,
    /// Understands one text message.
    pub decode: fn(&str) -> Command,
    /// The answer to a ping.
    pub pong: fn(Option<&str>) -> Payload,
    /// The answer to a mark; `None`: nothing is answered.
    pub marked: Option<fn(&Done<'_>) -> Payload>,
    /// The answer to a mark of an entry that is not the caller's or not there, or (`true`) whose key was another
    /// command's; `None`: nothing is answered.
    pub not_marked: Option<fn(&Asked, bool) -> Payload>,
    /// The answer to a message it does not know; `None`: ignored.
    pub unknown: Option<fn(&str, Option<&str>) -> Payload>,
    /// How a binary message ends the connection; `None`: ignored.
    pub binary: Option<&'static Close>,
    /// What it tells besides notifications; `None`: nothing.
    pub envelopes: Option<&'static Envelopes>,
}

/// What both documented surfaces answer a `PING` with.
pub(crate) fn documented_pong(_: Option<&str>) -> Payload {
    Payload::new("pong", r#"{"type":"pong"}"#.into())
}

/// What became of a mark.
#[derive(Debug, Clone, Copy)]
pub struct Done<'a> {
    /// By what the answer names it.
    pub asked: &'a Asked,
    /// Whether anything is different now.
    pub changed: bool,
    /// The read-state revision after it.
    pub rev: Rev,
    /// The unread count after it.
    pub unread: u64,
    /// The log's head that it counts at.
    pub head: Seq,
}

/// How messages stand on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Framing {
    /// Text frames (RFC 6455).
    WebSocket,
    /// Server-Sent Events: the client only listens.
    EventStream,
}

/// By what a client says where it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resumption {
    /// By nothing.
    Never,
    /// By the id of the last notification it holds: `since`.
    ById,
    /// By lineage, place and revision: `epoch`, `since`, `rev`.
    ByPosition,
}

impl Surface {
    /// The surface that answers upgrades at `path`.
    pub fn at(path: &str) -> Option<&'static Self> {
        crate::SURFACES.iter().find(|surface| surface.paths.contains(&path)).copied()
    }
}

impl std::fmt::Debug for Surface {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Surface {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}

/// How a surface closes after the handshake when it must refuse. All are sent after the 101, because a
/// browser hides the status of a refused upgrade.
#[derive(Debug)]
pub struct Refusals {
    /// No token, an empty or a blank one.
    pub token_missing: &'static Close,
    /// A token that is not genuine, or given twice.
    pub token_invalid: &'static Close,
    /// A genuine token past its `exp`, at connect or later.
    pub token_expired: &'static Close,
    /// A genuine token, but the workspace parameter is missing, empty or given twice.
    pub workspace_missing: &'static Close,
    /// A genuine token that does not grant the workspace, or there is none of that name.
    pub workspace_refused: &'static Close,
    /// Nothing was heard or sent for the surface's idle timeout.
    pub idle: &'static Close,
    /// This socket is the one too many.
    pub crowded: &'static Close,
}

/// What happens when a user opens more sockets than the surface allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crowding {
    /// The socket accepted last stays, under the duel guard.
    NewestWins,
    /// The socket that was silent longest goes.
    LongestSilentGoes,
}

/// What a client gets of the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replay {
    /// Nothing.
    None,
    /// Its unread entries, oldest first, at most the newest [`campanile_model::limits::MAX_REPLAY`].
    Unread,
    /// Everything visible after the notification of this id, whatever its read state.
    Since(NotificationId),
    /// Everything visible after this place, and read state after this revision.
    From {
        /// The lineage that both count in; `None` only with the place before the first.
        epoch: Option<Epoch>,
        /// The place.
        seq: Seq,
        /// The revision; `None`: whatever it is by now.
        rev: Option<Rev>,
    },
    /// What cannot be honoured, such as a `since` that names no notification: the client is told so.
    Unknown,
}

/// A payload made of a JSON value.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    // Strings, numbers and maps with string keys can't fail to serialize.
    serde_json::to_string(value).unwrap_or_default()
}
