//! The local stack that `make stack` starts: it leaves a file that says what leads there.

use std::path::Path;

use anyhow::Context as _;
use heal_aws::{AwsOverrides, Keys};
use heal_clients::config::Strings;

use super::choice::{ENV_STACK, get};
use crate::file;

/// In the folder that one works in, as the default state file is.
pub(super) const FILE: &str = ".heal/stack/env";
const MAX_BYTES: u64 = 64 * 1024;

/// Variables that lead to an AWS of one's own: then that is meant.
const OTHER_AWS: [&str; 3] = ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"];

#[derive(Debug, Clone)]
pub(super) struct LocalStack {
    pub name: String,
    pub given: AwsOverrides,
}

/// The local stack, if there is one and the environment leads nowhere else.
///
/// # Errors
/// Its file cannot be read, or something is missing in it.
pub(super) fn read(strings: &dyn Strings) -> anyhow::Result<Option<LocalStack>> {
    for key in OTHER_AWS {
        if get(strings, key)?.is_some() {
            return Ok(None);
        }
    }
    let path = Path::new(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    parse(&file::read_text(path, MAX_BYTES)?).map(Some)
}

/// Lines of `KEY=VALUE`; other lines, and keys of no interest, are passed over.
fn parse(text: &str) -> anyhow::Result<LocalStack> {
    let value = |key: &str| {
        let values = text.lines().filter_map(|line| line.trim().split_once('='));
        let mut found =
            values.filter(|(name, value)| *name == key && !value.is_empty()).map(|(_, value)| value.to_owned());
        found.next_back().with_context(|| format!("{FILE}: {key} is missing, `make stack` writes the file anew"))
    };
    let keys = Keys {
        access_key_id: value("AWS_ACCESS_KEY_ID")?,
        secret_access_key: value("AWS_SECRET_ACCESS_KEY")?,
        session_token: None,
        expires_at: None,
    };
    let given =
        AwsOverrides { region: Some(value("AWS_REGION")?), keys: Some(keys), endpoint_url: Some(value("AWS_ENDPOINT_URL")?) };
    Ok(LocalStack { name: value(ENV_STACK)?, given })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# local\nAWS_ENDPOINT_URL=http://127.0.0.1:4566\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b=c\n\
                         AWS_REGION=eu-central-1\nHEAL_STACK=dev\nHEAL_SANDBOX_CONTROL_URL=http://127.0.0.1:1\n";

    #[test]
    fn a_whole_file_leads_to_its_stack() {
        let LocalStack { name, given } = parse(WHOLE).unwrap();
        assert_eq!(name, "dev");
        assert_eq!(given.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(given.keys.unwrap().secret_access_key, "b=c");
    }

    #[test]
    fn what_is_missing_in_the_file_is_named() {
        for key in ["AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "HEAL_STACK"] {
            let text = WHOLE.replace(&format!("{key}="), "OTHER=");
            let error = parse(&text).unwrap_err().to_string();
            assert_eq!(error, format!(".heal/stack/env: {key} is missing, `make stack` writes the file anew"));
        }
    }
}
