//! Standard output and standard error. Callers escape text from outside with [`text`]; a closed pipe is not an error, so that a reader
//! that goes away does not end a run.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use heal_telemetry::text::{printable, printable_json};
use owo_colors::OwoColorize as _;
use serde::Serialize;

/// Prints one line of data to standard output, without colours unless it is a terminal and `NO_COLOR` is unset.
///
/// # Errors
/// The output cannot be written, such as to a full disk.
pub(crate) fn line(text: impl Display) -> io::Result<()> {
    forgive_closed(writeln!(anstream::stdout().lock(), "{text}"))
}

/// Prints a JSON value as one line to standard output, with every control character escaped.
///
/// # Errors
/// As [`fn@line`].
pub(crate) fn json(value: &impl Serialize) -> io::Result<()> {
    let value = serde_json::to_value(value).map_err(io::Error::other)?;
    forgive_closed(writeln!(io::stdout().lock(), "{}", printable_json(&value)))
}

/// Prints a table: `head`, dimmed, and `rows`, with every column but the last padded to its widest cell.
///
/// # Errors
/// As [`fn@line`].
pub(crate) fn table<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> io::Result<()> {
    let mut lines = table_lines(head, rows);
    lines.next().into_iter().try_for_each(|head| line(head.dimmed()))?;
    lines.try_for_each(line)
}

fn table_lines<const N: usize>(head: [&str; N], rows: Vec<[String; N]>) -> impl Iterator<Item = String> {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in &rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    std::iter::once(head.map(ToOwned::to_owned)).chain(rows).map(move |row| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    })
}

/// Writes one line of data to `file`, or to standard output without one.
///
/// # Errors
/// The output cannot be written; the file is named.
pub(crate) fn compiled(file: Option<&Path>, text: &str) -> anyhow::Result<()> {
    match file {
        Some(file) => {
            std::fs::write(file, format!("{text}\n")).with_context(|| format!("failed to write {}", file.display()))
        }
        None => Ok(line(text)?),
    }
}

/// Prints one line for the person at the terminal to standard error.
pub(crate) fn note(text: impl Display) {
    // There is no other place to report a broken standard error.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints `error: operation: cause: cause of that`.
pub(crate) fn error(error: &anyhow::Error) {
    note(format_args!("{} {}", "error:".red().bold(), lines(&format!("{error:#}"))));
}

/// Escapes text from outside for use inside a line.
pub(crate) fn text(text: &str) -> String {
    printable(text).into_owned()
}

/// Escapes text with several lines that may contain text from outside.
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

#[cfg(test)]
mod tests {
    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![["a".to_owned(), "long one".to_owned()], ["wide".to_owned(), "x".to_owned()]];
        let lines: Vec<_> = super::table_lines(["N", "M"], rows).collect();
        assert_eq!(lines, ["N     M", "a     long one", "wide  x"]);
    }
}
