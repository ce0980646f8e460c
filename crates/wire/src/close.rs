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

    /// One line of a copy for every close.
    fn lines(line: impl Fn(&Close) -> String) -> String {
        ALL.iter().map(|close| line(close)).collect()
    }

    /// The registry as a table of the protocol's document.
    fn table() -> String {
        let rows = lines(|Close { name, code, reason, come_back }| {
            let reason = if reason.is_empty() { "(none)".to_owned() } else { format!("`{reason}`") };
            format!("| {code} | {reason} | `{name}` | {} |\n", come_back.as_str())
        });
        let head = "| code | reason | name | come back? |\n|---|---|---|---|\n";
        head.to_owned() + &rows
    }

    /// The answer to "come back?" as a word of code.
    fn word(come_back: &Return) -> String {
        come_back.as_str().replace("with a new token", "with new token").replace(' ', "_")
    }

    fn typescript() -> String {
        lines(|Close { name, code, reason, come_back }| {
            let back = word(come_back);
            format!("  {{ code: {code}, reason: \"{reason}\", name: \"{name}\", comeBack: \"{back}\" }},\n")
        })
    }

    fn python() -> String {
        lines(|Close { name, code, reason, come_back }| {
            format!("    CloseCode({code}, \"{reason}\", \"{name}\", \"{}\"),\n", word(come_back))
        })
    }

    fn rust() -> String {
        lines(|Close { name, code, reason, come_back }| {
            format!(
                "    CloseCode {{ code: {code}, reason: \"{reason}\", name: \"{name}\", come_back: ComeBack::{come_back:?} }},\n"
            )
        })
    }

    /// `UPDATE_DOCS=1 cargo test -p campanile-wire close` writes the copies anew.
    #[test]
    #[allow(clippy::disallowed_methods, reason = "the one switch of this test")]
    fn copies_list_every_close() {
        let copies: [(&str, &str, &str, String); 4] = [
            ("docs/protocol.md", "<!-- close-codes -->\n", "<!-- /close-codes -->", table()),
            ("sdks/typescript/client/src/close_codes.ts", "CloseCode[] = [\n", "];", typescript()),
            ("sdks/python/src/campanile/close_codes.py", "...]] = (\n", ")", python()),
            ("sdks/rust/src/close_codes.rs", "&[CloseCode] = &[\n", "];", rust()),
        ];
        for (file, begin, end, made) in copies {
            // Tests run in their package's directory; the one it was compiled in may be another checkout's.
            let path = Path::new("../..").join(file);
            let text = std::fs::read_to_string(&path).unwrap();
            let (before, rest) = text.split_once(begin).unwrap();
            let (committed, after) = rest.split_once(&format!("\n{end}")).unwrap();
            if std::env::var("UPDATE_DOCS").is_ok() {
                std::fs::write(path, format!("{before}{begin}{made}{end}{after}")).unwrap();
            } else {
                assert!(
                    format!("{committed}\n") == made,
                    "{file} is not what the registry says: UPDATE_DOCS=1 writes it"
                );
            }
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
