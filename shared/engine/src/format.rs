//! The versions of stored and sent texts: a build reads what older builds wrote, and refuses what a newer build wrote.
//!
//! Every such text is JSON. A text without a field `format` has version 1; from version 2 on, the text is an object with `"format": N`.
//! A value is written in the oldest version that can hold it, so that older builds read all that they understand.
//! Unknown fields are ignored, so a field that older builds can do without needs no new version. A reader that gets an [`Error`] leaves
//! the text where it is: nothing is lost, and a newer build can still read it.

use std::num::NonZeroU32;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// What the stored texts of runs have in common, the most frequent last, for stores that pack them. Packed texts refer to it by position, so it never
/// changes: another one gets another name, and stores mark what they packed with it.
pub const COMMON_V1: &str = include_str!("format/common_v1.txt");

/// A type whose JSON text is stored, or sent to another process.
pub trait Format: Serialize + DeserializeOwned {
    /// What the text is, as error messages name it.
    const NAME: &'static str;
    /// The newest version that this build writes and reads.
    const VERSION: u32 = 1;
    /// The field of an object of version 2 or later that holds a value which is a list in version 1.
    const LIST: &'static str = "list";

    /// The oldest version that can hold this value.
    fn needed_version(&self) -> u32 {
        Self::VERSION
    }

    /// Reads a text of `version`, which this build knows.
    ///
    /// # Errors
    /// The text does not fit the type.
    fn parse(text: &str, _version: u32) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// The error for a text that does not fit the type although this build knows its version. A type that can say more overrides this.
    fn explain(_text: &str, cause: serde_json::Error) -> Error {
        Error::Malformed { name: Self::NAME, cause }
    }
}

/// Why a text cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A newer build wrote the text.
    #[error("failed to read {name}: format {observed} is newer than this build's format {supported}; upgrade heal")]
    Newer {
        /// What the text is.
        name: &'static str,
        /// The text's version.
        observed: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// A newer build added an event without which the run cannot be understood.
    #[error(
        "failed to read {name}: event `{event}` (format {observed}) is unknown to this build's format {supported}; upgrade heal"
    )]
    UnknownEvent {
        /// What the text is.
        name: &'static str,
        /// The event's name.
        event: String,
        /// The text's version.
        observed: u32,
        /// The newest version that this build reads.
        supported: u32,
    },
    /// No build wrote the text, or it is damaged. The cause names line and column.
    #[error("failed to read {name}: the text is malformed")]
    Malformed {
        /// What the text is.
        name: &'static str,
        /// Where and why reading stopped.
        #[source]
        cause: serde_json::Error,
    },
}

/// Reads a text of this build's version or an older one.
///
/// # Errors
/// [`Error::Newer`] for a newer version, whatever else the text holds; the error of [`Format::explain`] for a text that does not fit the type.
pub fn decode<T: Format>(text: &str) -> Result<T, Error> {
    let observed = version(text).map_err(|cause| Error::Malformed { name: T::NAME, cause })?;
    if observed > T::VERSION {
        return Err(Error::Newer { name: T::NAME, observed, supported: T::VERSION });
    }
    T::parse(text, observed).map_err(|cause| T::explain(text, cause))
}

/// The text of `value`, in the oldest version that can hold it.
pub fn encode<T: Format>(value: &T) -> String {
    // Plain data with text keys cannot fail to serialize.
    let text = serde_json::to_string(value).unwrap_or_default();
    match (value.needed_version(), text.strip_prefix('{')) {
        (1, _) => text,
        (version, None) => format!("{{\"format\":{version},\"{}\":{text}}}", T::LIST),
        (version, Some("}")) => format!("{{\"format\":{version}}}"),
        (version, Some(fields)) => format!("{{\"format\":{version},{fields}"),
    }
}

/// The version of a text, without reading the rest of it.
///
/// # Errors
/// The text is not JSON, or its `format` is not a whole number above 0.
pub fn version(text: &str) -> Result<u32, serde_json::Error> {
    #[derive(Deserialize)]
    struct Versioned {
        #[serde(default)]
        format: Option<NonZeroU32>,
    }
    // A list has no place for a version; only version 1 of a format can be one.
    if !text.trim_start().starts_with('{') {
        return Ok(1);
    }
    serde_json::from_str(text).map(|text: Versioned| text.format.map_or(1, NonZeroU32::get))
}
