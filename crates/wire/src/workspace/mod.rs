//! The workspace surface: `GET /?token=<JWT>&workspaceSlug=<slug>`.
//!
//! Every frame is one notification: the documented clients hand each to their notification handler, so
//! nothing else is sent unprompted, not even a greeting.

mod notification;

use crate::Command;
use crate::close;
use crate::surface::{Crowding, Framing, Refusals, Replay, Resumption, Surface, documented_pong};

pub(crate) const SURFACE: Surface = Surface {
    name: "workspace",
    index: 0,
    paths: &["/", "/ws"],
    token_parameter: "token",
    workspace_parameter: Some("workspaceSlug"),
    takes_bearer: false,
    subprotocol: None,
    framing: Framing::WebSocket,
    needs_workspaces_claim: true,
    refusals: Refusals {
        token_missing: &close::UNAUTHORIZED,
        token_invalid: &close::UNAUTHORIZED,
        token_expired: &close::EXPIRED,
        workspace_missing: &close::MISSING_WORKSPACE,
        workspace_refused: &close::UNAUTHORIZED,
        idle: &close::IDLE_TIMEOUT,
        crowded: &close::REPLACED,
    },
    crowding: Crowding::NewestWins,
    replay: Replay::None,
    resumption: Resumption::ById,
    greeting: None,
    encode: notification::encode,
    resync: Some(notification::resync),
    decode: Command::parse_documented,
    pong: documented_pong,
    marked: None,
    not_marked: None,
    unknown: None,
    binary: None,
    envelopes: None,
};
