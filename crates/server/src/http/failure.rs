//! From what the use cases say to what the caller is told.

use campanile_engine::EngineError;
use campanile_store::StoreError;

use super::problem::{self, Problem};

impl From<EngineError> for Problem {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::Invalid { index, field, reason } => {
                Self::new(&problem::INVALID_REQUEST).detail(reason).index(index).field(field)
            }
            EngineError::TooLarge { index, .. } => {
                Self::new(&problem::NOTIFICATION_TOO_LARGE).detail(error.to_string()).index(index)
            }
            EngineError::Entry { index, error } => Self::from(*error).index(Some(index)),
            EngineError::Missing { .. } => Self::new(&problem::NOT_FOUND).detail(error.to_string()),
            EngineError::Exists { .. } => Self::new(&problem::ALREADY_EXISTS).detail(error.to_string()),
            EngineError::Changed { .. } => Self::new(&problem::CHANGED).detail(error.to_string()),
            EngineError::Rule(error) => {
                let field = error.member.clone();
                Self::new(&problem::INVALID_RULE).detail(error.to_string()).field(field)
            }
            EngineError::NotReached { .. } => {
                Self::new(&problem::NOT_REACHED).detail(error.to_string()).field("minSeq").retry_after(1)
            }
            EngineError::Unfinished { id, failed, .. } => {
                let detail =
                    format!("it could be written in none of the {failed} workspaces where it was to be");
                Self::new(&problem::ANNOUNCEMENT_UNFINISHED).detail(detail).id(id).retry_after(5)
            }
            EngineError::NoProcess => {
                Self::new(&problem::OVERLOADED).detail(error.to_string()).retry_after(5)
            }
            EngineError::Overloaded => {
                Self::new(&problem::OVERLOADED).detail(error.to_string()).retry_after(1)
            }
            EngineError::Store(error) => error.into(),
        }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::KeyReused => Self::new(&problem::IDEMPOTENCY_KEY_REUSED).field("Idempotency-Key"),
            StoreError::Limit { .. } => Self::new(&problem::LIMIT_EXCEEDED).detail(error.to_string()),
            StoreError::NotFound => Self::new(&problem::NOT_FOUND),
            // The use cases answer what a conflict means to their caller; one that is left is a race.
            StoreError::Conflict { .. } | StoreError::Changed => {
                Self::new(&problem::OVERLOADED).retry_after(1)
            }
            StoreError::Busy { .. } => Self::new(&problem::OVERLOADED).retry_after(1),
            StoreError::Full => Self::new(&problem::STORAGE_FULL).retry_after(30),
            StoreError::Unavailable { .. } => {
                tracing::warn!(%error, "a request met an unavailable store");
                Self::new(&problem::STORAGE_UNAVAILABLE).retry_after(5)
            }
            StoreError::Corrupt { .. } | StoreError::Internal(_) => {
                tracing::error!(%error, "a request met a failing store");
                Self::new(&problem::INTERNAL)
            }
        }
    }
}
