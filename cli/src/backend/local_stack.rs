//! The local stack of `make stack`, which writes its name, endpoint, region and credentials into a file.

use std::path::Path;

use anyhow::Context as _;
use heal_aws::variables::{ACCESS_KEY_ID, ENDPOINT_URL, PROFILE, REGION, SECRET_ACCESS_KEY};
use heal_aws::{AwsOverrides, Keys};
use heal_clients::config::Strings;
use heal_wiring::environment::ENV_STACK;

use crate::environment;
use crate::file;

/// Relative to the working directory, like the default state file.
pub(super) const FILE: &str = ".heal/stack/env";
const MAX_BYTES: u64 = 64 * 1024;

/// If any of these is set, the user points at their own AWS; the local stack is ignored.
const OTHER_AWS: [&str; 3] = [ENDPOINT_URL, PROFILE, ACCESS_KEY_ID];

#[derive(Debug, Clone)]
pub(super) struct LocalStack {
    pub name: String,
    pub overrides: AwsOverrides,
}

/// The local stack, if its file exists and no variable points at another AWS.
///
/// # Errors
/// The file cannot be read, or a value is missing in it.
pub(super) fn read(strings: &dyn Strings) -> anyhow::Result<Option<LocalStack>> {
    for key in OTHER_AWS {
        if environment::get(strings, key)?.is_some() {
            return Ok(None);
        }
    }
    let path = Path::new(FILE);
    if !path.is_file() {
        return Ok(None);
    }
    parse(&file::read_text(path, MAX_BYTES)?).map(Some)
}

/// Lines of `KEY=VALUE`; other lines and other keys are ignored.
fn parse(text: &str) -> anyhow::Result<LocalStack> {
    let value = |key: &str| {
        let values = text.lines().filter_map(|line| line.trim().split_once('='));
        let mut found =
            values.filter(|(name, value)| *name == key && !value.is_empty()).map(|(_, value)| value.to_owned());
        found.next_back().with_context(|| format!("{FILE}: {key} is missing, `make stack` writes the file again"))
    };
    let keys = Keys {
        access_key_id: value(ACCESS_KEY_ID)?,
        secret_access_key: value(SECRET_ACCESS_KEY)?,
        session_token: None,
        expires_at: None,
    };
    let (region, endpoint_url) = (Some(value(REGION)?), Some(value(ENDPOINT_URL)?));
    Ok(LocalStack { name: value(ENV_STACK)?, overrides: AwsOverrides { region, keys: Some(keys), endpoint_url } })
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &str = "# local\nAWS_ENDPOINT_URL=http://127.0.0.1:4566\nAWS_ACCESS_KEY_ID=a\nAWS_SECRET_ACCESS_KEY=b=c\n\
                         AWS_REGION=eu-central-1\nHEAL_STACK=dev\nHEAL_SANDBOX_CONTROL_URL=http://127.0.0.1:1\n";

    #[test]
    fn a_complete_file_names_its_stack() {
        let LocalStack { name, overrides } = parse(WHOLE).unwrap();
        assert_eq!(name, "dev");
        assert_eq!(overrides.endpoint_url.as_deref(), Some("http://127.0.0.1:4566"));
        assert_eq!(overrides.keys.unwrap().secret_access_key, "b=c");
    }

    #[test]
    fn a_missing_value_is_named() {
        for key in [ENDPOINT_URL, ACCESS_KEY_ID, SECRET_ACCESS_KEY, REGION, ENV_STACK] {
            let text = WHOLE.replace(&format!("{key}="), "OTHER=");
            let error = parse(&text).unwrap_err().to_string();
            assert_eq!(error, format!(".heal/stack/env: {key} is missing, `make stack` writes the file again"));
        }
    }
}
