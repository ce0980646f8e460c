//! Why a use case did not do what it was asked.

use campanile_model::Seq;
use campanile_store::StoreError;

/// Errors of the use cases. Each has one stable code on every surface (`server::http::problem`).
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The request breaks a rule of the protocol.
    #[error("{reason}")]
    Invalid {
        /// Position in the batch, where there is one.
        index: Option<usize>,
        /// The member concerned, as the producer writes it; empty: the request as a whole.
        field: &'static str,
        /// What is wrong and what would be right, without echoing values.
        reason: String,
    },
    /// The encoded notification is longer than a documented client may be sent.
    #[error("the encoded notification has {got} bytes, at most {limit} can be sent")]
    TooLarge {
        /// Position in the batch, where there is one.
        index: Option<usize>,
        /// Bytes it would have.
        got: usize,
        /// Bytes allowed.
        limit: usize,
    },
    /// A member of the protocol that this release does not act on yet: refused rather than ignored.
    #[error("{field} is not supported yet")]
    NotSupportedYet {
        /// Position in the batch, where there is one.
        index: Option<usize>,
        /// The member, as the producer wrote it.
        field: &'static str,
    },
    /// The log did not reach a place in the time a reader was willing to wait.
    #[error("the log has not reached {seq}")]
    NotReached {
        /// The place.
        seq: Seq,
    },
    /// The sockets' queues are full: nobody was told, try again later.
    #[error("too much is waiting to be delivered")]
    Overloaded,
    /// What the store said.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl EngineError {
    /// A broken rule outside of any batch.
    pub(crate) fn invalid(field: &'static str, reason: impl Into<String>) -> Self {
        Self::Invalid { index: None, field, reason: reason.into() }
    }

    /// The same error, said of the entry at `place` of a batch.
    #[must_use]
    pub(crate) fn at(mut self, place: Option<usize>) -> Self {
        match &mut self {
            Self::Invalid { index, .. }
            | Self::TooLarge { index, .. }
            | Self::NotSupportedYet { index, .. } => *index = place,
            Self::NotReached { .. } | Self::Overloaded | Self::Store(_) => {}
        }
        self
    }
}
