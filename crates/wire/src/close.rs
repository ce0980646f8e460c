//! The registry of close codes (the protocol, §5): code, reason, and whether a client should come back.

/// Whether a client that was closed so should connect again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Return {
    /// No: coming back would end the same way.
    No,
    /// Yes, with back-off.
    Yes,
    /// Yes, but with a new token.
    WithNewToken,
    /// The client closed, or nothing went wrong.
    AsItLikes,
}

impl Return {
    /// The word used in the docs and in SDK constants.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::No => "no",
            Self::Yes => "yes",
            Self::WithNewToken => "with a new token",
            Self::AsItLikes => "as it likes",
        }
    }
}

/// One registered way to end a connection.
#[derive(Debug, PartialEq, Eq)]
pub struct Close {
    /// The name of the constant, for docs and SDKs.
    pub name: &'static str,
    /// The code in the close frame.
    pub code: u16,
    /// The reason in the close frame: ASCII, at most 123 bytes.
    pub reason: &'static str,
    /// Whether to come back.
    pub come_back: Return,
}

macro_rules! registry {
    ($($name:ident = $code:literal, $reason:literal, $back:ident;)*) => {
        $(
            #[doc = concat!(stringify!($code), " ", $reason)]
            pub const $name: Close =
                Close { name: stringify!($name), code: $code, reason: $reason, come_back: Return::$back };
        )*
        /// Every registered close, by code.
        pub const ALL: &[&Close] = &[$(&$name),*];
    };
}

registry! {
    NORMAL = 1000, "", AsItLikes;
    SHUTTING_DOWN = 1001, "server shutting down", Yes;
    PROTOCOL_ERROR = 1002, "protocol error", No;
    BINARY_NOT_ACCEPTED = 1003, "binary frames are not accepted", No;
    BAD_UTF8 = 1007, "invalid UTF-8", No;
    TOKEN_REQUIRED = 1008, "Access token required", No;
    TOKEN_INVALID = 1008, "Access token invalid", No;
    TOKEN_EXPIRED = 1008, "Access token expired", WithNewToken;
    TOO_MANY_CONNECTIONS = 1008, "Too many connections", No;
    MESSAGE_TIMEOUT = 1008, "message not finished in time", Yes;
    TOO_BIG = 1009, "message too big", No;
    INTERNAL_ERROR = 1011, "internal error", Yes;
    OVERLOADED = 1013, "try again later", Yes;
    TOO_SLOW = 1013, "reader too slow", Yes;
    UNAUTHORIZED = 4001, "unauthorized", No;
    MISSING_WORKSPACE = 4002, "workspaceSlug required", No;
    EXPIRED = 4003, "token expired", WithNewToken;
    IDLE_TIMEOUT = 4008, "idle timeout", Yes;
    REPLACED = 4009, "replaced by a newer connection", No;
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The registry as a table of the protocol's document.
    fn table() -> String {
        let rows = ALL.iter().map(|close| {
            let reason = match close.reason {
                "" => "(none)".to_owned(),
                reason => format!("`{reason}`"),
            };
            let Close { name, code, come_back, .. } = close;
            format!("| {code} | {reason} | `{name}` | {} |\n", come_back.as_str())
        });
        let head = "| code | reason | name | come back? |\n|---|---|---|---|\n";
        head.to_owned() + &rows.collect::<String>()
    }

    /// `UPDATE_DOCS=1 cargo test -p campanile-wire close` writes the table anew.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "the one switch of this test")]
    fn docs_list_every_close() {
        const BEGIN: &str = "<!-- close-codes -->\n";
        const END: &str = "<!-- /close-codes -->";
        // Tests run in their package's directory; the one it was compiled in may be another checkout's.
        let path = Path::new("../../docs/protocol.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (before, rest) = text.split_once(BEGIN).unwrap();
        let (committed, after) = rest.split_once(END).unwrap();
        let made = table();
        if std::env::var("UPDATE_DOCS").is_ok() {
            std::fs::write(path, format!("{before}{BEGIN}{made}{END}{after}")).unwrap();
        } else {
            assert!(
                committed == made,
                "docs/protocol.md is not what the registry says: UPDATE_DOCS=1 writes it"
            );
        }
    }

    #[test]
    fn registry_is_sendable() {
        for close in ALL {
            assert!(close.reason.len() <= 123 && close.reason.is_ascii(), "{close:?}");
            assert!(matches!(close.code, 1000..=1003 | 1007..=1014 | 4000..=4999), "{close:?}");
        }
        assert!(ALL.windows(2).all(|w| w[0].code <= w[1].code), "sorted by code");
    }
}
