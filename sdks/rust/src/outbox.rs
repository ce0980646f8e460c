//! A transactional outbox: what is published stands in the database until the server has it.

use std::future::Future;

use crate::draft::{Draft, Published};
use crate::error::Error;
use crate::publisher::{Publisher, is_passing};

/// A row of an outbox: what to publish, under a key that the row keeps.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxRow {
    /// Names the row among all of the workspace: 1 to 255 bytes of visible ASCII.
    pub key: String,
    /// What to publish.
    pub draft: Draft,
}

/// What becomes of the rows of an outbox.
pub trait Outbox: Send {
    /// What can go wrong, here or in publishing.
    type Error: From<Error>;

    /// A row is published: delete it.
    ///
    /// # Errors
    /// It ends the drain. The row is sent again the next time, and published no second time within 24 hours.
    fn sent(
        &mut self,
        row: &OutboxRow,
        published: Published,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send;

    /// The server refuses a row, and would again: delete it or put it aside. Default: that ends the drain.
    ///
    /// # Errors
    /// It ends the drain.
    fn refused(
        &mut self,
        _row: &OutboxRow,
        error: Error,
    ) -> impl Future<Output = Result<(), Self::Error>> + Send {
        async move { Err(error.into()) }
    }
}

impl Publisher {
    /// Publishes the rows of an outbox in their order, each under its own key, and tells the outbox of each. A process that
    /// dies in between publishes a row again under the same key, which publishes nothing twice within 24 hours.
    ///
    /// It ends with the first row that fails in a way that passes, or for the token; that row and those behind it stay. How
    /// many were published.
    ///
    /// # Errors
    /// That failure, or one of the outbox.
    pub async fn drain_outbox<O: Outbox>(
        &self,
        rows: impl IntoIterator<Item = OutboxRow>,
        outbox: &mut O,
    ) -> Result<usize, O::Error> {
        let mut count = 0;
        for row in rows {
            match self.publish_keyed(&row.draft, &row.key).await {
                Ok(published) => {
                    outbox.sent(&row, published).await?;
                    count += 1;
                }
                Err(error) if is_final(&error) => outbox.refused(&row, error).await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(count)
    }
}

/// Whether the server refused a row, for its own fault: it was no proxy, and not for the token's sake.
fn is_final(error: &Error) -> bool {
    let Error::Problem(problem) = error else { return false };
    problem.code != "http" && !is_passing(error) && problem.status != 401 && problem.status != 403
}
