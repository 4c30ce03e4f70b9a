//! Log lines on standard error: for people or as JSON, one event a line, whatever its fields hold.
//!
//! `RUST_LOG` says what is logged, such as `info` or `runtime=debug,warn`.

mod fields;
mod filter;
mod layer;
mod line;

use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

pub use filter::Filter;
pub use layer::Lines;

/// The variable that says what is logged.
pub const ENV_RUST_LOG: &str = "RUST_LOG";
/// What a service logs where `RUST_LOG` says nothing.
pub const DEFAULT: &str = "info";
/// Bytes of one field's text that a line keeps; the rest is cut, with a mark.
pub const FIELD_BYTES: usize = 8 * 1024;

/// What a line looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `2026-11-23T20:21:00.123Z WARN heal_runtime::host: message name=value`
    #[default]
    Human,
    /// One object a line: `timestamp`, `level`, `target`, `message`, the spans' fields and the event's own.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("{ENV_RUST_LOG} is {value:?}, expected directives such as `info` or `runtime=debug,warn`")]
    Filter {
        value: String,
        #[source]
        cause: tracing_subscriber::filter::ParseError,
    },
    /// Another part of this process has done so already.
    #[error("logging is set up already")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// Logs to standard error from here on. `default` are the directives that hold where `RUST_LOG` is unset or empty.
///
/// # Errors
/// `RUST_LOG` cannot be read, or logging is set up already.
pub fn init(format: Format, default: &str) -> Result<(), Error> {
    #[expect(clippy::disallowed_methods, reason = "`RUST_LOG` is read once, at the start")]
    let filter = Filter::parse(&std::env::var(ENV_RUST_LOG).unwrap_or_default(), default)?;
    let lines = Lines::new(format, std::io::stderr);
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?)
}
