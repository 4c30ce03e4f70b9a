//! Reading JSON so that what is wrong is named by its place.

use serde::de::DeserializeOwned;

/// What is wrong, and where.
#[derive(Debug)]
pub(crate) struct Unreadable {
    /// As `tickets[0].status`; `.` for the whole.
    pub(crate) path: String,
    pub(crate) reason: String,
}

/// One JSON value and nothing behind it.
pub(crate) fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unreadable> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = error.path().to_string();
        Unreadable {
            // The text ended where a key was to come.
            path: if path == "?" { ".".to_owned() } else { path },
            reason: error.into_inner().to_string(),
        }
    })?;
    reader.end().map_err(|error| Unreadable { path: ".".to_owned(), reason: error.to_string() })?;
    Ok(read)
}
