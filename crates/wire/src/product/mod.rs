//! The product surface: `GET /api/ws/notification?access_token=<JWT>`, and its two REST routes.

mod notification;
pub mod rest;

use crate::Command;
use crate::close;
use crate::surface::{Crowding, Framing, Refusals, Replay, Resumption, Surface, documented_pong};

pub(crate) const SURFACE: Surface = Surface {
    name: "product",
    index: 1,
    paths: &["/api/ws/notification"],
    token_parameter: "access_token",
    workspace_parameter: None,
    takes_bearer: false,
    subprotocol: None,
    framing: Framing::WebSocket,
    needs_workspaces_claim: false,
    refusals: Refusals {
        token_missing: &close::TOKEN_REQUIRED,
        token_invalid: &close::TOKEN_INVALID,
        token_expired: &close::TOKEN_EXPIRED,
        workspace_missing: &close::TOKEN_INVALID,
        workspace_refused: &close::TOKEN_INVALID,
        idle: &close::IDLE_TIMEOUT,
        crowded: &close::TOO_MANY_CONNECTIONS,
    },
    crowding: Crowding::LongestSilentGoes,
    replay: Replay::Unread,
    resumption: Resumption::Never,
    greeting: Some(notification::greeting),
    encode: notification::encode,
    resync: None,
    decode: Command::parse_documented,
    pong: documented_pong,
    marked: Some(notification::marked),
    not_marked: Some(notification::not_marked),
    unknown: Some(notification::unknown),
    binary: Some(&close::BINARY_NOT_ACCEPTED),
    envelopes: None,
};
