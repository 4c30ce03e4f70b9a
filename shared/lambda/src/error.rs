//! Why a function does not start. Whatever is wrong with its configuration is wrong before the first message.

use heal_runtime::attempt::BadSpec;
use heal_runtime::checks::ChecksError;
use heal_runtime::library::LibraryError;

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{variable}: {problem}")]
    Variable { variable: &'static str, problem: String },
    #[error("AWS")]
    Aws(#[from] heal_aws::Error),
    #[error("clients")]
    Clients(#[from] heal_wiring::Error),
    #[error("{path} ({variable}) cannot be read")]
    File {
        variable: &'static str,
        path: String,
        #[source]
        cause: std::io::Error,
    },
    #[error("playbooks")]
    Library(#[from] LibraryError),
    #[error("checks")]
    Checks(#[from] ChecksError),
    #[error("action")]
    Spec(#[from] BadSpec),
    /// The platform's own interface failed.
    #[error("Lambda runtime")]
    Runtime(#[source] lambda_runtime::Error),
}

/// A batch that cannot be answered record by record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("records come from {0:?}, which is no queue of this stack")]
    ForeignSource(String),
    /// An answer that names no record would fail the whole batch, and say so less clearly.
    #[error("a record without a message id failed")]
    Unnamed,
}
