//! Why a use case did not do what it was asked.

use campanile_model::{NotificationId, Seq};
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
    /// There is nothing of that name, or not for this caller: the two look alike.
    #[error("no such {what}")]
    Missing {
        /// What was looked for, such as `product`.
        what: &'static str,
    },
    /// Something of that name is there already.
    #[error("there is such a {what} already")]
    Exists {
        /// What it is.
        what: &'static str,
    },
    /// It is not, or no longer, in the state that the request expects (`If-Match`).
    #[error("the {what} was changed meanwhile")]
    Changed {
        /// What it is.
        what: &'static str,
    },
    /// A rule is refused, or failed: the member and the place in it.
    #[error(transparent)]
    Rule(Box<campanile_rules::RuleError>),
    /// One of those above, of an entry of a batch.
    #[error("{error}")]
    Entry {
        /// Position in the batch.
        index: usize,
        /// What is wrong with it.
        #[source]
        error: Box<Self>,
    },
    /// The log did not reach a place in the time a reader was willing to wait.
    #[error("the log has not reached {seq}")]
    NotReached {
        /// The place.
        seq: Seq,
    },
    /// What concerns every workspace could be done in none of those where it was left to be done.
    #[error("the announcement {id} could not be written in {failed} workspaces: {error}")]
    Unfinished {
        /// The announcement: a repetition under its id is safe.
        id: NotificationId,
        /// Workspaces in which it failed.
        failed: usize,
        /// Why it did in the last of them.
        #[source]
        error: Box<Self>,
    },
    /// No process for functions can be had now.
    #[error("functions can't be run now")]
    NoProcess,
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

    /// The same error, where a conflict means that the `what` the caller read is no longer as it was.
    #[must_use]
    pub(crate) fn changed(self, what: &'static str) -> Self {
        match self {
            Self::Store(StoreError::Conflict { .. }) => Self::Changed { what },
            other => other,
        }
    }

    /// The same error, said of the entry at `place` of a batch.
    #[must_use]
    pub(crate) fn at(mut self, place: Option<usize>) -> Self {
        match &mut self {
            Self::Invalid { index, .. } | Self::TooLarge { index, .. } => *index = place,
            Self::Missing { .. } | Self::Exists { .. } | Self::Changed { .. } => {
                if let Some(index) = place {
                    return Self::Entry { index, error: Box::new(self) };
                }
            }
            Self::Entry { index, .. } => *index = place.unwrap_or(*index),
            Self::Rule(_)
            | Self::NotReached { .. }
            | Self::Unfinished { .. }
            | Self::Overloaded
            | Self::NoProcess
            | Self::Store(_) => {}
        }
        self
    }
}
