//! What a client can do wrong once connected, and the close code that answers it.

/// A breach of the protocol or of a limit. The connection is closed with [`close_code`](Self::close_code)
/// and [`reason`](Self::reason); nothing more is read.
///
/// Carries no byte of a payload: it may be logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set although no extension was agreed on (RFC 6455 §5.2).
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode without a meaning: 3 to 7, 11 to 15 (§5.2).
    #[error("unknown opcode {0}")]
    UnknownOpcode(u8),
    /// A client's frame without a mask (§5.1).
    #[error("a client frame is not masked")]
    Unmasked,
    /// A ping, pong or close without the final bit (§5.5).
    #[error("a control frame is fragmented")]
    FragmentedControl,
    /// A ping, pong or close of more than 125 bytes (§5.5).
    #[error("a control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A length in more bytes than it needs (§5.2).
    #[error("a frame length is not in its shortest form")]
    LengthNotMinimal,
    /// A 64-bit length with the highest bit set (§5.2).
    #[error("a frame length has its highest bit set")]
    LengthHighBit,
    /// A continuation although no message is open (§5.4).
    #[error("a continuation without a start")]
    StrayContinuation,
    /// A new text or binary frame inside a fragmented message (§5.4).
    #[error("a new message inside a fragmented one")]
    InterleavedMessage,
    /// A close frame of one byte: half a code (§5.5.1).
    #[error("a close frame holds half a code")]
    CloseBody,
    /// A close code that must not be on the wire (§7.4).
    #[error("invalid close code {0}")]
    CloseCode(u16),
    /// A text message, or the reason of a close, that is not UTF-8 (§5.6, §8.1).
    #[error("text is not valid UTF-8")]
    InvalidUtf8,
    /// A message above [`Limits::max_message_bytes`](crate::Limits::max_message_bytes).
    #[error("a message of at least {size} bytes exceeds the limit of {limit}")]
    TooBig {
        /// Bytes announced so far, by the headers alone.
        size: u64,
        /// The limit.
        limit: usize,
    },
    /// A message in more frames than [`Limits::max_fragments`](crate::Limits::max_fragments).
    #[error("a message exceeds the limit of {limit} fragments")]
    TooManyFragments {
        /// The limit.
        limit: u32,
    },
}

impl Violation {
    /// The code to close with: 1002 (protocol error), 1007 (not UTF-8) or 1009 (too big).
    #[must_use]
    pub fn close_code(&self) -> u16 {
        match self {
            Self::InvalidUtf8 => 1007,
            Self::TooBig { .. } | Self::TooManyFragments { .. } => 1009,
            _ => 1002,
        }
    }

    /// The reason to close with: fixed ASCII, at most 123 bytes.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::ReservedBits => "reserved bits set",
            Self::UnknownOpcode(_) => "unknown opcode",
            Self::Unmasked => "frame not masked",
            Self::FragmentedControl => "fragmented control frame",
            Self::ControlTooLong => "control frame too long",
            Self::LengthNotMinimal | Self::LengthHighBit => "invalid frame length",
            Self::StrayContinuation => "unexpected continuation",
            Self::InterleavedMessage => "unfinished message",
            Self::CloseBody | Self::CloseCode(_) => "invalid close frame",
            Self::InvalidUtf8 => "invalid UTF-8",
            Self::TooBig { .. } => "message too big",
            Self::TooManyFragments { .. } => "too many fragments",
        }
    }
}
