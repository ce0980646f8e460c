//! The native surface, as a WebSocket (`/v1/connect`) and as an event stream: typed envelopes, places in the
//! log, exact resume, read state both ways.

mod command;
mod content;
mod frame;
mod item;
#[cfg(test)]
mod schema;

pub use content::{Content, LevelName};
pub use item::Item;

use crate::close;
use crate::envelopes::Envelopes;
use crate::surface::{Crowding, Framing, Refusals, Replay, Resumption, Surface};

const REFUSALS: Refusals = Refusals {
    token_missing: &close::UNAUTHORIZED,
    token_invalid: &close::UNAUTHORIZED,
    token_expired: &close::EXPIRED,
    workspace_missing: &close::MISSING_WORKSPACE,
    workspace_refused: &close::UNAUTHORIZED,
    idle: &close::IDLE_TIMEOUT,
    crowded: &close::TOO_MANY_CONNECTIONS,
};

static ENVELOPES: Envelopes = Envelopes {
    hello: frame::hello,
    change: frame::change,
    receipts: frame::receipts,
    heartbeat: frame::heartbeat,
    resync: frame::resync,
    drain: frame::drain,
    refreshed: frame::refreshed,
    refused: frame::refused,
    close: frame::close,
};

/// The subprotocol of the native surface.
pub const SUBPROTOCOL: &str = "campanile.v1";

pub(crate) const SURFACE: Surface = Surface {
    name: "native",
    index: 2,
    paths: &["/v1/connect"],
    token_parameter: "token",
    workspace_parameter: Some("workspace"),
    takes_bearer: true,
    subprotocol: Some(SUBPROTOCOL),
    framing: Framing::WebSocket,
    needs_workspaces_claim: true,
    refusals: REFUSALS,
    crowding: Crowding::LongestSilentGoes,
    replay: Replay::None,
    resumption: Resumption::ByPosition,
    greeting: None,
    encode: frame::notification,
    resync: None,
    decode: command::parse,
    pong: frame::pong,
    marked: Some(frame::marked),
    not_marked: Some(frame::not_marked),
    unknown: Some(frame::unknown),
    binary: Some(&close::BINARY_NOT_ACCEPTED),
    envelopes: Some(&ENVELOPES),
};

/// The same stream as Server-Sent Events. Its route hands the connection over, so it has no path of its own here.
pub(crate) const STREAM: Surface = Surface {
    name: "stream",
    index: 3,
    paths: &[],
    subprotocol: None,
    framing: Framing::EventStream,
    ..SURFACE
};
