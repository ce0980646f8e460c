//! What makes one surface differ from another.

use campanile_model::{Notification, NotificationId, Timestamp, UserId};

use crate::Command;
use crate::close::Close;

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
    /// Whether a token must name the workspace in its `workspaces` claim even to open this surface.
    pub needs_workspaces_claim: bool,
    /// How it says no.
    pub refusals: Refusals,
    /// What happens when a user opens one socket too many.
    pub crowding: Crowding,
    /// What a client gets of the past when it asks for nothing.
    pub replay: Replay,
    /// The first frame's payload, if there is one before any notification.
    pub greeting: Option<fn(&UserId) -> String>,
    /// The payload of a notification; the flag is whether the user has read it.
    pub encode: fn(&Notification, bool) -> String,
    /// The payload that says "read it all again", with an id and a time of its own; `None` where the
    /// surface has no `since`.
    pub resync: Option<fn(NotificationId, Timestamp) -> String>,
    /// Understands one text message.
    pub decode: fn(&str) -> Command,
    /// The answer to a marked entry; `None`: nothing is answered.
    pub marked: Option<fn(&str) -> String>,
    /// The answer to a mark of an entry that is not the caller's or not there.
    pub not_marked: Option<fn(&str) -> String>,
    /// The answer to a message it does not know; `None`: ignored.
    pub unknown: Option<fn(&str) -> String>,
    /// How a binary message ends the connection; `None`: ignored.
    pub binary: Option<&'static Close>,
}

/// The payload both documented surfaces answer a `PING` with.
pub(crate) const PONG: &str = r#"{"type":"pong"}"#;

impl Surface {
    /// The payload that answers a `PING`.
    pub fn pong(&self) -> &'static str {
        PONG
    }

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
    /// What cannot be honoured, such as a `since` that names no notification: the client is told so.
    Unknown,
}

/// A payload made of a JSON value.
pub(crate) fn json(value: &impl serde::Serialize) -> String {
    // Strings, numbers and maps with string keys can't fail to serialize.
    serde_json::to_string(value).unwrap_or_default()
}
