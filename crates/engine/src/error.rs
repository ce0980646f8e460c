//! Why a use case did not do what it was asked.

use campanile_store::StoreError;

/// Errors of the use cases. Each has one stable code on every surface (`server::http::problem`).
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// The request breaks a rule of the protocol.
    #[error("{reason}")]
    Invalid {
        /// Position in the batch, where there is one.
        index: Option<usize>,
        /// The member concerned, as the producer wrote it.
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
    /// The sockets' queues are full: nobody was told, try again later.
    #[error("too much is waiting to be delivered")]
    Overloaded,
    /// What the store said.
    #[error(transparent)]
    Store(#[from] StoreError),
}
