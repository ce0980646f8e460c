//! Close codes: generated from the registry of the server (`crates/wire/src/close.rs`). Do not edit.

/// Whether a client should come back after a close.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ComeBack {
    /// It should, after a pause.
    Yes,
    /// Coming back in the same way would end in the same way.
    No,
    /// It should, with a token that it did not use before.
    WithNewToken,
    /// Nothing was wrong: it may.
    AsItLikes,
}

/// One way in which the server ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CloseCode {
    /// The code of the close frame.
    pub code: u16,
    /// The reason in the close frame, to the letter. Empty: there is none.
    pub reason: &'static str,
    /// The name in the registry.
    pub name: &'static str,
    /// Whether to come back.
    pub come_back: ComeBack,
}

/// Every close of the server, in the order of the registry.
#[rustfmt::skip]
pub const CLOSE_CODES: &[CloseCode] = &[
    CloseCode { code: 1000, reason: "", name: "NORMAL", come_back: ComeBack::AsItLikes },
    CloseCode { code: 1001, reason: "server shutting down", name: "SHUTTING_DOWN", come_back: ComeBack::Yes },
    CloseCode { code: 1002, reason: "protocol error", name: "PROTOCOL_ERROR", come_back: ComeBack::No },
    CloseCode { code: 1003, reason: "binary frames are not accepted", name: "BINARY_NOT_ACCEPTED", come_back: ComeBack::No },
    CloseCode { code: 1007, reason: "invalid UTF-8", name: "BAD_UTF8", come_back: ComeBack::No },
    CloseCode { code: 1008, reason: "Access token required", name: "TOKEN_REQUIRED", come_back: ComeBack::No },
    CloseCode { code: 1008, reason: "Access token invalid", name: "TOKEN_INVALID", come_back: ComeBack::No },
    CloseCode { code: 1008, reason: "Access token expired", name: "TOKEN_EXPIRED", come_back: ComeBack::WithNewToken },
    CloseCode { code: 1008, reason: "Too many connections", name: "TOO_MANY_CONNECTIONS", come_back: ComeBack::No },
    CloseCode { code: 1008, reason: "message not finished in time", name: "MESSAGE_TIMEOUT", come_back: ComeBack::Yes },
    CloseCode { code: 1009, reason: "message too big", name: "TOO_BIG", come_back: ComeBack::No },
    CloseCode { code: 1011, reason: "internal error", name: "INTERNAL_ERROR", come_back: ComeBack::Yes },
    CloseCode { code: 1013, reason: "try again later", name: "OVERLOADED", come_back: ComeBack::Yes },
    CloseCode { code: 1013, reason: "reader too slow", name: "TOO_SLOW", come_back: ComeBack::Yes },
    CloseCode { code: 4001, reason: "unauthorized", name: "UNAUTHORIZED", come_back: ComeBack::No },
    CloseCode { code: 4002, reason: "workspaceSlug required", name: "MISSING_WORKSPACE", come_back: ComeBack::No },
    CloseCode { code: 4003, reason: "token expired", name: "EXPIRED", come_back: ComeBack::WithNewToken },
    CloseCode { code: 4008, reason: "idle timeout", name: "IDLE_TIMEOUT", come_back: ComeBack::Yes },
    CloseCode { code: 4009, reason: "replaced by a newer connection", name: "REPLACED", come_back: ComeBack::No },
];
