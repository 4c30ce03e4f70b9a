//! What is recorded beside a result.

use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::secret::Secrets;

/// One decision: a JSON text of `heal_guard::DecisionRecord`, which the engine keeps and does not read. Its copies share it, since a result is
/// copied for its claim, its message and its log, and what is recorded is the most of it.
#[derive(Debug, Clone)]
pub struct Recorded(Arc<Inner>);

#[derive(Debug, Clone)]
struct Inner {
    value: Value,
    /// The bytes of its text, once its secrets are hidden.
    bytes: Option<usize>,
}

impl Recorded {
    /// Hides its secrets, and returns the bytes of its text. Once is enough for all copies.
    pub(super) fn keep(&mut self) -> usize {
        if let Some(bytes) = self.0.bytes {
            return bytes;
        }
        let inner = Arc::make_mut(&mut self.0);
        Secrets::default().hide_value(&mut inner.value);
        let bytes = inner.value.to_string().len();
        inner.bytes = Some(bytes);
        bytes
    }
}

impl From<Value> for Recorded {
    fn from(value: Value) -> Self {
        Self(Arc::new(Inner { value, bytes: None }))
    }
}

impl Deref for Recorded {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0.value
    }
}

impl PartialEq for Recorded {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.value == other.0.value
    }
}

impl Serialize for Recorded {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recorded {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn its_secrets_are_hidden_once_for_all_copies_that_are_made_later() {
        let mut recorded = Recorded::from(json!({"token": "Canary"}));
        let before = recorded.clone();
        let hidden = json!({"token": "[hidden]"});
        assert_eq!((recorded.keep(), &*recorded), (hidden.to_string().len(), &hidden));
        assert_eq!(*before, json!({"token": "Canary"}), "a copy that nobody keeps stays as it was");
        let mut later = recorded.clone();
        assert!(later.keep() == recorded.keep() && Arc::ptr_eq(&later.0, &recorded.0));
    }

    #[test]
    fn what_was_read_is_not_taken_for_kept() {
        let mut kept = Recorded::from(json!({"a": 1}));
        kept.keep();
        let mut forged: Recorded = serde_json::from_str(r#"{"password":"Canary"}"#).unwrap();
        forged.keep();
        assert_eq!(serde_json::to_string(&[kept, forged]).unwrap(), r#"[{"a":1},{"password":"[hidden]"}]"#);
    }
}
