//! What is told in every workspace, for which an answer waits only so long.

use std::time::Duration;

use super::problem::{self, Problem};

/// How long an answer waits for every workspace: a request is cut off after 30 seconds, and could then say nothing.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What `telling` came to; `None` if that takes longer than `patience`: it goes on all the same.
///
/// # Errors
/// [`problem::INTERNAL`] where it panicked.
pub async fn within<T: Send + 'static>(
    patience: Duration,
    telling: impl Future<Output = T> + Send + 'static,
) -> Result<Option<T>, Problem> {
    match tokio::time::timeout(patience, tokio::spawn(telling)).await {
        Ok(Ok(told)) => Ok(Some(told)),
        Ok(Err(_)) => {
            // The panic hook has said where.
            tracing::error!("telling every workspace panicked");
            Err(Problem::new(&problem::INTERNAL))
        }
        Err(_) => Ok(None),
    }
}
