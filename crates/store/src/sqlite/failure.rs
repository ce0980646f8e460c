//! The two ways an operation does not happen.

use rusqlite::ErrorCode;

use crate::StoreError;

/// Why an operation inside a transaction did not happen.
#[derive(Debug)]
pub(super) enum Failure {
    /// A rule of the contract refuses it. Nothing was written; the transaction goes on without it.
    Refused(StoreError),
    /// The database failed: the transaction is lost as a whole.
    Database(rusqlite::Error),
}

pub(super) type Outcome<T> = Result<T, Failure>;

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Database(error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Refused(error) => error,
            Failure::Database(error) => store_error(&error),
        }
    }
}

/// What the caller is told of a database error.
pub(super) fn store_error(error: &rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full,
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            StoreError::Internal(format!("the database file is damaged: {error}"))
        }
        Some(_) => StoreError::Unavailable { reason: error.to_string() },
        // Not SQLite's word but ours: a value of an unexpected type or range in a row.
        None => StoreError::Internal(error.to_string()),
    }
}

/// Whether the device failed: what a flush should have brought to it may not be there.
pub(super) fn is_io(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::SystemIoFailure)
}

/// A defect of ours in the shape of a database error: the transaction it was met in is lost like any other.
pub(super) fn defect(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(what.into())
}
