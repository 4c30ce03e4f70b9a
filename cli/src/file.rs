//! Reads whole files that a person names, within a limit.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use anyhow::{Context as _, bail};

/// The text of a file, or of standard input if `path` is `-`.
///
/// # Errors
/// The file cannot be read, has more than `limit_bytes`, or is not UTF-8; the error names the file.
pub(crate) fn read_text(path: &Path, limit_bytes: u64) -> anyhow::Result<String> {
    let name = name(path);
    let source: Box<dyn std::io::Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin().lock())
    } else {
        Box::new(File::open(path).with_context(|| format!("failed to open {name}"))?)
    };
    let mut bytes = Vec::new();
    // Reads one byte more than the limit, to detect a file that is too large.
    source
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .with_context(|| format!("failed to read {name}"))?;
    if bytes.len() as u64 > limit_bytes {
        bail!("{name}: has {}, the limit is {limit_bytes} bytes", size(path, limit_bytes));
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        anyhow::anyhow!("{name}: is not UTF-8 text, the first invalid byte is at offset {at}")
    })
}

/// The name for messages.
pub(crate) fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

fn size(path: &Path, limit_bytes: u64) -> String {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > limit_bytes => format!("{} bytes", metadata.len()),
        Ok(_) | Err(_) => format!("more than {limit_bytes} bytes"),
    }
}
