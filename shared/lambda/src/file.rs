//! What a function is deployed with besides its program.

use std::fs::File;
use std::io::Read as _;

use heal_clients::config::Strings;

use crate::error::Error;
use crate::limit::FILE_BYTES;

/// The text of the file that `variable` names; `default` where it is unset.
///
/// # Errors
/// `File`: it cannot be read, is no text, or has more than [`FILE_BYTES`].
pub(crate) fn read(strings: &dyn Strings, variable: &'static str, default: &str) -> Result<String, Error> {
    let path = crate::function::variable(strings, variable)?.unwrap_or_else(|| default.to_owned());
    let text = || -> std::io::Result<String> {
        let mut text = String::new();
        let bytes = File::open(&path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
        if bytes as u64 > FILE_BYTES {
            return Err(std::io::Error::other(format!("it has more than {FILE_BYTES} bytes")));
        }
        Ok(text)
    };
    text().map_err(|cause| Error::File { variable, path: path.clone(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_there_is_named_with_its_variable() {
        let error =
            read(&[("HEAL_PLAYBOOKS_FILE", "/nowhere/playbooks.json")], "HEAL_PLAYBOOKS_FILE", "x").unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/playbooks.json (HEAL_PLAYBOOKS_FILE) cannot be read");
    }
}
