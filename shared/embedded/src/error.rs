//! Errors of jobs on a connection, and the port's error that each becomes.

use std::error::Error as _;
use std::sync::Arc;

use heal_runtime::format;
use heal_runtime::port::BackendError;
use rusqlite::ErrorCode;

use crate::limit;

/// Why a job failed. Its transaction was rolled back.
#[derive(Debug, thiserror::Error)]
pub(crate) enum JobError {
    /// A statement of the job failed.
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    /// The transaction that the job shared with others could not begin or commit.
    #[error("failed to commit the transaction")]
    Transaction(#[source] Arc<rusqlite::Error>),
    /// A row cannot be read: which row, and why.
    #[error("{0}")]
    Corrupt(String),
    /// The thread that runs the jobs has ended.
    #[error("the store is closed: its thread has ended")]
    Closed,
}

impl JobError {
    pub(crate) fn corrupt(place: impl AsRef<str>, why: impl std::fmt::Display) -> Self {
        Self::Corrupt(format!("{}: {why}", place.as_ref()))
    }

    /// A stored text that this build cannot read. The text is left where it is.
    pub(crate) fn unreadable(place: impl AsRef<str>, error: &format::Error) -> Self {
        let cause = error.source().map(|cause| format!(": {cause}")).unwrap_or_default();
        Self::corrupt(place, format!("{error}{cause}"))
    }

    /// Whether the disk is the cause.
    pub(crate) fn is_of_disk(&self) -> bool {
        match self {
            Self::Sqlite(error) => is_of_disk(error),
            Self::Transaction(error) => is_of_disk(error),
            Self::Corrupt(_) | Self::Closed => false,
        }
    }

    pub(crate) fn into_backend(self, operation: &'static str) -> BackendError {
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

/// Whether the file or a value in it is damaged, so that a retry fails again.
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

/// Whether the disk did not take a write, or did not give back what was written: it may do so later.
pub(crate) fn is_of_disk(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure | ErrorCode::CannotOpen))
}

/// Refuses a text over [`limit::TEXT_BYTES`].
pub(crate) fn check_size(operation: &'static str, what: &'static str, text: &str) -> Result<(), BackendError> {
    let (observed_bytes, limit_bytes) = (text.len(), limit::TEXT_BYTES);
    if observed_bytes > limit_bytes {
        return Err(BackendError::TooLarge { operation, what, observed_bytes, limit_bytes });
    }
    Ok(())
}
