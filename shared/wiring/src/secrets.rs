//! Secrets by reference: from the environment, or from AWS Secrets Manager.

use heal_aws::{Session, secrets};
use heal_clients::config::{Env, NotUnicode, Strings};
use heal_engine::Map;
use heal_engine::notice::SecretRef;
use heal_engine::text::chain;
use serde_json::Value;

use crate::environment::ENV_SECRET;

/// Reads secrets. No error has a part of one.
#[derive(Debug)]
pub struct Vault {
    variables: Variables,
    manager: Option<secrets::Client>,
}

/// The environment, and behind it the fields of one secret.
#[derive(Debug, Default)]
struct Variables(Map);

impl Strings for Variables {
    fn get(&self, key: &str) -> Result<Option<String>, NotUnicode> {
        let set = Env.get(key)?.filter(|value| !value.trim().is_empty());
        Ok(set.or_else(|| self.0.get(key).and_then(Value::as_str).map(ToOwned::to_owned)))
    }
}

impl Vault {
    /// Secrets of the environment; with `session`, of Secrets Manager too.
    ///
    /// # Errors
    /// The client of Secrets Manager cannot be made.
    pub fn new(session: Option<&Session>) -> Result<Self, heal_aws::Error> {
        Ok(Self { variables: Variables::default(), manager: session.map(secrets::Client::new).transpose()? })
    }

    /// The vault of a function: behind its environment are the fields of the secret that `HEAL_SECRET` names, if it names one.
    ///
    /// # Errors
    /// The secret cannot be read, or is not a JSON object.
    pub async fn of_function(session: &Session) -> Result<Self, String> {
        let vault = Self::new(Some(session)).map_err(|error| chain(&error))?;
        let Some(id) = vault.variable(ENV_SECRET)? else { return Ok(vault) };
        let Some(manager) = &vault.manager else { return Ok(vault) };
        let bytes = manager.read(&id).await.map_err(|error| chain(&error))?;
        Ok(Self { variables: Variables(object(&bytes)?), ..vault })
    }

    /// The value of a variable; `None` if it is unset or empty.
    ///
    /// # Errors
    /// It is not Unicode text.
    pub fn variable(&self, name: &str) -> Result<Option<String>, String> {
        self.variables.get(name).map_err(|error| error.to_string())
    }

    /// As [`Vault::read`], by the reference's text: `env:NAME`, or `secretsmanager:ARN` with `#KEY`.
    ///
    /// # Errors
    /// As [`Vault::read`]; or the text is not a reference.
    pub async fn read_text(&self, reference: &str) -> Result<String, String> {
        let parsed = SecretRef::parse(reference);
        self.read(
            &parsed.ok_or_else(|| "it is not a reference, expected `env:NAME` or `secretsmanager:ARN`".to_owned())?,
        )
        .await
    }

    /// The present text of the secret that `reference` names, without white space around it.
    ///
    /// # Errors
    /// It is not there, or cannot be read: which call failed, and how.
    pub async fn read(&self, reference: &SecretRef) -> Result<String, String> {
        let text = match reference {
            SecretRef::Env(name) => self.variable(name)?.ok_or_else(|| "the variable is not set".to_owned())?,
            SecretRef::SecretsManager { id, key } => {
                let manager = self.manager.as_ref().ok_or_else(|| "this home has no AWS".to_owned())?;
                let bytes = manager.read(id).await.map_err(|error| chain(&error))?;
                field(&bytes, key.as_deref())?
            }
        };
        Ok(text.trim().to_owned())
    }
}

/// The text of a secret, or of one field of it.
fn field(bytes: &[u8], key: Option<&str>) -> Result<String, String> {
    let Some(key) = key else {
        return Ok(std::str::from_utf8(bytes).map_err(|_| "the secret is not UTF-8 text".to_owned())?.to_owned());
    };
    let object = object(bytes)?;
    let value = object.get(key).and_then(Value::as_str);
    value.map(ToOwned::to_owned).ok_or_else(|| format!("the secret has no text `{key}`"))
}

fn object(bytes: &[u8]) -> Result<Map, String> {
    // The parser's error would repeat a part of the secret.
    serde_json::from_slice(bytes).map_err(|_| "the secret is not a JSON object".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_secret_is_read_and_no_error_repeats_it() {
        assert_eq!(field(b" https://x \n", None).unwrap().trim(), "https://x");
        assert_eq!(field(br#"{"url": "https://x"}"#, Some("url")).unwrap(), "https://x");
        for (text, key) in [(&b"hunter2"[..], "url"), (br#"{"other": "hunter2"}"#, "url"), (b"\xffhunter2", "url")] {
            let error = field(text, Some(key)).unwrap_err();
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_field_stands_in_for_a_variable_that_is_not_set() {
        let fields = object(br#"{"HEAL_TEST_SECRET_OF_NOBODY": " s3cret ", "PATH": "never"}"#).unwrap();
        let vault = Vault { variables: Variables(fields), manager: None };
        let read = async |name: &str| vault.read(&SecretRef::Env(name.to_owned())).await;
        assert_eq!(read("HEAL_TEST_SECRET_OF_NOBODY").await.as_deref(), Ok("s3cret"));
        assert_ne!(read("PATH").await.as_deref(), Ok("never"), "the environment goes first");
        assert_eq!(read("HEAL_TEST_OTHER").await, Err("the variable is not set".to_owned()));
        let at_aws = SecretRef::SecretsManager { id: "x".to_owned(), key: None };
        assert_eq!(vault.read(&at_aws).await, Err("this home has no AWS".to_owned()));
    }
}
