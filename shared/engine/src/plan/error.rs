//! Why a playbook is not a plan.

use crate::format;
use crate::id::Digest;
use crate::limit;
use crate::template::TemplateError;

/// Why a playbook does not compile, or a stored plan is refused.
///
/// Reading a playbook's file finds the faults of compiling first, so that a stored plan has none of them.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A template does not compile.
    #[error("failed to compile {place} of playbook {playbook}")]
    Template {
        /// The playbook's name.
        playbook: String,
        /// The field, with the step's name if it is a step's.
        place: String,
        /// Why the template does not compile.
        #[source]
        cause: TemplateError,
    },
    /// A step needs one that does not exist.
    #[error("failed to compile playbook {playbook}: step {step} needs `{needed}`, which is not a step of it")]
    UnknownNeed {
        /// The playbook's name.
        playbook: String,
        /// The step's name.
        step: String,
        /// The name in the step's `needs`.
        needed: String,
    },
    /// The playbook has too many steps.
    #[error("failed to compile playbook {playbook}: it has {observed} steps, the limit is {}", limit::STEPS)]
    TooManySteps {
        /// The playbook's name.
        playbook: String,
        /// Its number of steps.
        observed: usize,
    },
    /// The stored text is not a plan, or a newer build wrote it.
    #[error("failed to read the stored plan {digest}")]
    Unreadable {
        /// The plan's digest.
        digest: Digest,
        /// Why the text cannot be read.
        #[source]
        cause: format::Error,
    },
    /// The stored text is not the one that the run pinned.
    #[error("failed to read the stored plan {pinned}: its text was changed, and has digest {observed} now")]
    Tampered {
        /// The digest that the run pinned.
        pinned: Digest,
        /// The digest of the stored text.
        observed: Digest,
    },
}
