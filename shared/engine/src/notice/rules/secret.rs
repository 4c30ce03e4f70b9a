//! Where a secret is, which never stands in the file itself.

use std::fmt;

/// A reference to a secret: `env:NAME`, or `secretsmanager:ARN` with `#key` for one field of a secret that is a JSON object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretRef {
    /// An environment variable of the process that sends.
    Env(String),
    /// A secret of AWS Secrets Manager.
    SecretsManager {
        /// Its ARN or name.
        id: String,
        /// The field of its JSON object; `None`: the secret is the text as a whole.
        key: Option<String>,
    },
}

impl SecretRef {
    /// `None` if the text is not a reference.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(name) = text.strip_prefix("env:") {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let starts_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            return (starts_well && name.chars().all(is_name)).then(|| Self::Env(name.to_owned()));
        }
        let rest = text.strip_prefix("secretsmanager:")?;
        let (id, key) = rest.split_once('#').map_or((rest, None), |(id, key)| (id, Some(key.to_owned())));
        let is_whole =
            !id.is_empty() && !id.contains(char::is_whitespace) && key.as_ref().is_none_or(|key| !key.is_empty());
        is_whole.then(|| Self::SecretsManager { id: id.to_owned(), key })
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::SecretsManager { id, key: None } => write!(f, "secretsmanager:{id}"),
            Self::SecretsManager { id, key: Some(key) } => write!(f, "secretsmanager:{id}#{key}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_and_nothing_else_is_one() {
        for text in
            ["env:SLACK_URL", "secretsmanager:arn:aws:secretsmanager:eu-west-1:1:secret:x-1#url", "secretsmanager:x"]
        {
            assert_eq!(SecretRef::parse(text).unwrap().to_string(), text);
        }
        for text in
            ["", "env:", "env:a b", "env:1A", "https://hooks.slack.com/x", "secretsmanager:", "secretsmanager:x#"]
        {
            assert_eq!(SecretRef::parse(text), None, "{text}");
        }
    }
}
