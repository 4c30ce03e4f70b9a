//! Log lines on standard error, for people or as JSON. Each event is exactly one line, whatever its fields contain.
//!
//! `RUST_LOG` selects the events, for example `info` or `heal_runtime=debug,warn`.

mod fields;
mod filter;
mod layer;
mod line;

use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use filter::Filter;
pub use layer::Lines;

/// The environment variable with the log directives.
pub const ENV_RUST_LOG: &str = "RUST_LOG";
/// The directives if `RUST_LOG` is unset or blank.
pub const DEFAULT: &str = "info";
/// Longest text of one field, in bytes; the rest is cut, and a mark says how much.
pub const FIELD_BYTES: usize = 8 * 1024;

/// The format of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-11-23T20:21:00.123Z WARN heal_runtime::host: message name=value`
    #[default]
    Human,
    /// One JSON object per line: `timestamp`, `level`, `target`, `message`, the fields of the spans, then the event's own.
    Json,
}

/// Why logging could not be initialised.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The directives cannot be parsed.
    #[error("{ENV_RUST_LOG} is {value:?}, expected directives such as `info` or `heal_runtime=debug,warn`")]
    Filter {
        /// The directives, as given.
        value: String,
        /// The parser's error.
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Another part of this process has already done so.
    #[error("failed to initialise logging: it is already initialised in this process")]
    AlreadyInitialised(#[from] tracing_subscriber::util::TryInitError),
}

/// A moment in milliseconds since the Unix epoch as a field of a line: `2026-11-23T20:21:00Z`. Times beyond the year 9999 stay a number.
pub fn rfc3339(epoch_ms: u64) -> String {
    let time = i64::try_from(epoch_ms).ok().and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok());
    time.map_or_else(|| format!("{epoch_ms} ms"), |time| format!("{time:.0}"))
}

/// Starts logging to standard error. `default` gives the directives if `RUST_LOG` is unset or blank.
///
/// # Errors
/// `RUST_LOG` cannot be parsed, or logging is already initialised.
pub fn init(format: Format, default: &str) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "`RUST_LOG` is read once, at the start")]
    let filter = Filter::parse(&std::env::var(ENV_RUST_LOG).unwrap_or_default(), default)?;
    let lines = Lines::new(format, std::io::stderr);
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?)
}
