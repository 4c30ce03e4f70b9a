//! Why a template cannot be compiled or rendered.

use std::ops::Range;

use crate::limit;

/// A template that could not be compiled or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The source is over the limit.
    #[error("template has {observed_bytes} bytes, the limit is {} bytes", limit::TEMPLATE_BYTES)]
    TooLong {
        /// Its size.
        observed_bytes: usize,
    },
    /// The source is not a template.
    #[error("template cannot be parsed: {detail}")]
    Syntax {
        /// The error of the template engine.
        detail: String,
        /// Line in the source, from 1.
        line: usize,
        /// The bytes of the source at fault, if the template engine knows them; not always on character boundaries.
        range: Option<Range<usize>>,
    },
    /// A variable that the scope does not have.
    #[error("variable `{name}` is not defined")]
    Undefined {
        /// Its path: `steps.check.healthy`.
        name: String,
    },
    /// An operation that its values do not support.
    #[error("template `{template}` failed: {detail}")]
    Failed {
        /// The source.
        template: String,
        /// The error of the template engine.
        detail: String,
    },
    /// Rendering took too many instructions.
    #[error("template `{template}` used up its budget of {} fuel units", limit::TEMPLATE_FUEL)]
    OutOfFuel {
        /// The source.
        template: String,
    },
    /// A condition rendered to something other than a boolean.
    #[error("condition `{template}` gave {observed}, a boolean is needed")]
    NotBoolean {
        /// The source.
        template: String,
        /// [`brief`](super::brief) of the value.
        observed: String,
    },
    /// The items of a `for_each` rendered to something other than a list.
    #[error("`{template}` gave {observed}, a list is needed")]
    NotList {
        /// The source.
        template: String,
        /// [`brief`](super::brief) of the value.
        observed: String,
    },
    /// A value that JSON cannot represent.
    #[error("`{template}` gave a value that JSON cannot represent: {detail}")]
    NotJson {
        /// The source.
        template: String,
        /// The value.
        detail: String,
    },
}
