//! Why a job on a connection failed, and what that means to the port's caller.

use std::sync::Arc;

use heal_runtime::port::BackendError;
use rusqlite::ErrorCode;

use crate::limit;

/// A job's failure. Its effects are rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The transaction that the job shared with others could not be begun or committed.
    #[error("the transaction failed")]
    Transaction(#[source] Arc<rusqlite::Error>),
    /// A row that the job needs cannot be read: which one, and why.
    #[error("{0}")]
    Corrupt(String),
    /// The thread that runs the jobs has ended.
    #[error("the store is closed")]
    Closed,
}

impl Fault {
    pub(crate) fn corrupt(place: impl AsRef<str>, why: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{}: {why}", place.as_ref()))
    }

    pub(crate) fn into_error(self, operation: &'static str) -> BackendError {
        match self {
            Self::Corrupt(detail) => BackendError::Corrupt { operation, detail },
            Self::Sqlite(error) if is_corruption(&error) => {
                BackendError::Corrupt { operation, detail: error.to_string() }
            }
            Self::Transaction(error) if is_corruption(&error) => {
                BackendError::Corrupt { operation, detail: error.to_string() }
            }
            Self::Sqlite(_) | Self::Transaction(_) | Self::Closed => BackendError::unavailable(operation, self),
        }
    }
}

/// Whether trying again gives the same: the file or a value in it is not what it should be.
fn is_corruption(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
        || matches!(
            error,
            rusqlite::Error::FromSqlConversionFailure(..)
                | rusqlite::Error::IntegralValueOutOfRange(..)
                | rusqlite::Error::InvalidColumnType(..)
                | rusqlite::Error::Utf8Error(..)
        )
}

/// Refuses a text that is over the limit of one row.
pub(crate) fn check_size(operation: &'static str, what: &'static str, text: &str) -> Result<(), BackendError> {
    let (observed_bytes, limit_bytes) = (text.len(), limit::TEXT_BYTES);
    if observed_bytes > limit_bytes {
        return Err(BackendError::TooLarge { operation, what, observed_bytes, limit_bytes });
    }
    Ok(())
}
