//! Standard output and standard error, safe to write to: text from outside is neutralised by whoever puts it into a line
//! ([`text`]), and a reader that has gone away is no reason to give up a run.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use heal_telemetry::text::{printable, printable_json};
use owo_colors::OwoColorize as _;
use serde::Serialize;

/// One line of data to standard output. Colours are left out where that is no terminal, or `NO_COLOR` is set.
///
/// # Errors
/// The output cannot be written, such as to a full disk. A closed pipe is no error: nobody reads any more, and that is all.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    forgive_closed(writeln!(anstream::stdout().lock(), "{text}"))
}

/// One JSON value a line to standard output, with everything in it that a terminal would obey escaped.
///
/// # Errors
/// As [`line`].
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_value(value).map_err(io::Error::other)?;
    forgive_closed(writeln!(io::stdout().lock(), "{}", printable_json(&value)))
}

/// One line of data to a file, or to standard output where there is none.
///
/// # Errors
/// It cannot be written; the file is named.
pub(crate) fn compiled(file: Option<&Path>, text: &str) -> anyhow::Result<()> {
    match file {
        Some(file) => std::fs::write(file, format!("{text}\n")).with_context(|| file.display().to_string()),
        None => Ok(line(text)?),
    }
}

/// One line for the person at the terminal, to standard error.
pub(crate) fn note(text: impl Display) {
    // Standard error that cannot be written to leaves nobody to tell.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// `error: what: why: why that`.
pub(crate) fn error(error: &anyhow::Error) {
    note(format_args!("{} {}", "error:".red().bold(), lines(&format!("{error:#}"))));
}

/// Text from outside inside a line.
pub(crate) fn text(text: &str) -> String {
    printable(text).into_owned()
}

/// Text of our own with several lines, in which something from outside may stand.
fn lines(text: &str) -> String {
    text.split('\n').map(printable).collect::<Vec<_>>().join("\n")
}

/// `1 error`, `2 errors`.
pub(crate) fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn forgive_closed(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other @ (Ok(()) | Err(_)) => other,
    }
}
