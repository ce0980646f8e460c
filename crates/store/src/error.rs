//! What can go wrong below the contract.

use campanile_model::Seq;

use crate::DocumentKind;

/// Why a store did not do what it was asked. Nothing was written unless a variant says otherwise.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// An idempotency key came again with another body.
    #[error("the idempotency key was used before with another body")]
    KeyReused,
    /// A bound of the model would be broken, such as the topics of one user.
    #[error("{what}: at most {limit}")]
    Limit {
        /// What is bounded, in words for the caller.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// A document is not as a change expects it: it was changed, made or deleted meanwhile.
    #[error("a document is not as expected")]
    Conflict {
        /// Its kind.
        kind: DocumentKind,
        /// Its id.
        id: std::sync::Arc<str>,
        /// Its state as it is; `None`: there is none.
        version: Option<u64>,
    },
    /// A notification does not read as an update expects: it was said anew meanwhile.
    #[error("the notification was said anew meanwhile")]
    Changed,
    /// No notification of that id is visible to the caller. A miss and a refusal look alike.
    #[error("no such notification")]
    NotFound,
    /// The queue before the writer is full: try again later.
    #[error("the store is busy: {waiting} writes wait")]
    Busy {
        /// Writes in the queue.
        waiting: usize,
    },
    /// No space is left on the device. Retried in place; reads go on.
    #[error("no space is left for the log")]
    Full,
    /// The store cannot take writes now: an I/O error is being recovered from, or recovery found that
    /// acknowledged entries are gone (the text names both heads).
    #[error("the store is unavailable: {reason}")]
    Unavailable {
        /// For the log and the operator, without payloads.
        reason: String,
    },
    /// A row does not carry the bytes that were written.
    #[error("entry {seq} of workspace row {workspace} is damaged")]
    Corrupt {
        /// Internal number of the workspace.
        workspace: i64,
        /// The damaged entry.
        seq: Seq,
    },
    /// Something that should never fail did.
    #[error("the store failed: {0}")]
    Internal(String),
}
