//! Why a function does not start. Whatever is wrong with its configuration fails here, before the first message.

use heal_runtime::attempt::BadSpec;
use heal_runtime::checks;
use heal_runtime::library::LibraryError;

/// Why a function does not start, or stops.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A variable of the environment is missing or wrong.
    #[error("{variable}: {problem}")]
    Variable {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The table or the queues cannot be used.
    #[error("failed to configure AWS")]
    Aws(#[from] heal_aws::Error),
    /// The services' clients cannot be configured.
    #[error("failed to configure the services' clients")]
    Clients(#[from] heal_wiring::Error),
    /// A file that the function is deployed with cannot be read.
    #[error("failed to read {path} (from {variable})")]
    File {
        /// The variable that names the file.
        variable: &'static str,
        /// The file.
        path: String,
        /// Why it cannot be read.
        #[source]
        cause: std::io::Error,
    },
    /// The compiled playbooks cannot be used.
    #[error("failed to load the playbooks")]
    Library(#[from] LibraryError),
    /// The compiled checks cannot be used.
    #[error("failed to load the scheduled checks")]
    Checks(#[from] checks::Error),
    /// The compiled guardrails cannot be used.
    #[error("failed to load the guardrails")]
    Guardrails(#[from] heal_wiring::BadGuardrails),
    /// The compiled notifications cannot be used.
    #[error("failed to load the notifications")]
    Rules(#[from] heal_wiring::notify::RulesError),
    /// People cannot be told.
    #[error("failed to set the notifier up")]
    Notify(#[from] heal_wiring::notify::NotifyError),
    /// The action's own description is wrong.
    #[error("failed to set the action up")]
    Spec(#[from] BadSpec),
    /// The platform's interface failed.
    #[error("the Lambda runtime interface failed")]
    Runtime(#[source] lambda_runtime::Error),
}

/// A batch that cannot be answered record by record.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BatchError {
    #[error("failed to take a batch: its records come from {0:?}, which is not a queue of this stack")]
    ForeignSource(String),
    /// An answer that names a record without an id would fail the whole batch too, less clearly.
    #[error("failed to answer a batch: a record that has to be retried has no message id")]
    Unnamed,
}
