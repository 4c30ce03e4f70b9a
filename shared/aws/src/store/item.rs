//! Rows as DynamoDB has them: attributes by name.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::Timestamp;
use heal_runtime::port::BackendError;

use super::pack;

/// A row's attributes.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The names of the table's keys.
pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
/// Epoch seconds after which a row is rubbish. Nothing else ever goes by it.
pub(super) const EXPIRES_AT: &str = "expires_at";

/// A row's place in the table.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub pk: String,
    pub sk: String,
}

impl Key {
    pub(super) fn attributes(&self) -> Attributes {
        Item::at(self).into()
    }
}

/// A row, or the values of an expression, in the making. What is none is left out.
#[derive(Debug, Clone, Default)]
pub(super) struct Item(Attributes);

impl Item {
    pub(super) fn at(key: &Key) -> Self {
        Self::default().text(PK, &key.pk).text(SK, &key.sk)
    }

    pub(super) fn text(self, name: &str, value: impl AsRef<str>) -> Self {
        self.value(name, AttributeValue::S(value.as_ref().to_owned()))
    }

    pub(super) fn number(self, name: &str, value: u64) -> Self {
        self.value(name, AttributeValue::N(value.to_string()))
    }

    pub(super) fn moment(self, name: &str, value: Timestamp) -> Self {
        self.number(name, value.0)
    }

    pub(super) fn flag(self, name: &str, value: bool) -> Self {
        self.value(name, AttributeValue::Bool(value))
    }

    pub(super) fn maybe_text(self, name: &str, value: Option<impl AsRef<str>>) -> Self {
        match value {
            Some(value) => self.text(name, value),
            None => self,
        }
    }

    pub(super) fn maybe_moment(self, name: &str, value: Option<Timestamp>) -> Self {
        match value {
            Some(value) => self.moment(name, value),
            None => self,
        }
    }

    pub(super) fn value(mut self, name: &str, value: AttributeValue) -> Self {
        self.0.insert(name.to_owned(), value);
        self
    }

    /// The row is rubbish `after_ms` from `at` on.
    pub(super) fn expires(self, at: Timestamp, after_ms: u64) -> Self {
        self.number(EXPIRES_AT, at.plus_ms(after_ms).0 / 1_000)
    }

    /// What DynamoDB counts as the row's size, nearly: names and values.
    pub(super) fn bytes(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value_bytes(value)).sum()
    }
}

impl From<Item> for Attributes {
    fn from(item: Item) -> Self {
        item.0
    }
}

impl From<Item> for Option<Attributes> {
    fn from(item: Item) -> Self {
        Some(item.0)
    }
}

/// Strings have their UTF-8 bytes, numbers about half a byte a digit and one more (DynamoDB Developer Guide, "Item sizes and formats").
fn value_bytes(value: &AttributeValue) -> usize {
    let text = value.as_s().map(String::len).ok();
    let number = || value.as_n().map(|digits| digits.len().div_ceil(2) + 1).ok();
    let bytes = || value.as_b().map(|bytes| bytes.as_ref().len()).ok();
    let set = || value.as_ss().map(|texts| 3 + texts.iter().map(String::len).sum::<usize>()).ok();
    text.or_else(number).or_else(bytes).or_else(set).unwrap_or(1)
}

/// A row that was read, and the call that read it, for its errors.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    operation: &'static str,
    attributes: &'a Attributes,
}

impl<'a> Fields<'a> {
    pub(super) const fn new(operation: &'static str, attributes: &'a Attributes) -> Self {
        Self { operation, attributes }
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, BackendError> {
        self.maybe_text(name)?.ok_or_else(|| self.corrupt(name, "is missing"))
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, BackendError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.corrupt(name, "is no text")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, BackendError> {
        self.maybe_number(name)?.ok_or_else(|| self.corrupt(name, "is missing"))
    }

    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<u64>, BackendError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(digits)) => {
                digits.parse().map(Some).map_err(|_| self.corrupt(name, "is no whole number that is not negative"))
            }
            Some(_) => Err(self.corrupt(name, "is no number")),
        }
    }

    pub(super) fn moment(&self, name: &str) -> Result<Timestamp, BackendError> {
        self.number(name).map(Timestamp)
    }

    pub(super) fn maybe_moment(&self, name: &str) -> Result<Option<Timestamp>, BackendError> {
        Ok(self.maybe_number(name)?.map(Timestamp))
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        matches!(self.attributes.get(name), Some(AttributeValue::Bool(true)))
    }

    /// A text that may be packed.
    pub(super) fn packed(&self, name: &str) -> Result<String, BackendError> {
        let value = self.attributes.get(name).ok_or_else(|| self.corrupt(name, "is missing"))?;
        pack::unpack(value).map_err(|why| self.corrupt(name, why))
    }

    /// The members of a set of texts; none where there is no such set.
    pub(super) fn set(&self, name: &str) -> Result<&'a [String], BackendError> {
        match self.attributes.get(name) {
            None => Ok(&[]),
            Some(AttributeValue::Ss(members)) => Ok(members),
            Some(_) => Err(self.corrupt(name, "is no set of texts")),
        }
    }

    /// A value that is not as it was written: which row, which attribute.
    pub(super) fn corrupt(&self, name: &str, why: impl std::fmt::Display) -> BackendError {
        let part = |key: &str| match self.attributes.get(key) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "?",
        };
        BackendError::corrupt(self.operation, format!("row {} / {}, {name}: {why}", part(PK), part(SK)))
    }
}
