//! Rows of the table: attributes by name, written and read.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use heal_runtime::Timestamp;
use heal_runtime::port::BackendError;

use super::pack;

/// A row's attributes.
pub(super) type Attributes = HashMap<String, AttributeValue>;

/// The names of the table's partition and sort key.
pub(super) const PK: &str = "pk";
pub(super) const SK: &str = "sk";
/// The version of a row's form; absent is version 1. A new attribute that older builds can ignore needs no new version.
pub(super) const FORMAT: &str = "format";
/// The newest version of a row that this build reads.
const SUPPORTED_FORMAT: u64 = 1;
/// Epoch seconds after which DynamoDB deletes the row. No decision depends on it.
pub(super) const EXPIRES_AT: &str = "expires_at";

/// A row's primary key.
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

/// Builds a row, or the values of an expression. Absent values are left out.
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

    /// Lets DynamoDB delete the row `after_ms` after `at`.
    pub(super) fn expires(self, at: Timestamp, after_ms: u64) -> Self {
        self.number(EXPIRES_AT, at.plus_ms(after_ms).0 / 1_000)
    }

    /// Approximate size of the row as DynamoDB counts it: names and values.
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

/// A string counts its UTF-8 bytes, a number about half a byte per digit and one more (DynamoDB Developer Guide, "Item sizes and formats").
fn value_bytes(value: &AttributeValue) -> usize {
    let text = value.as_s().map(String::len).ok();
    let number = || value.as_n().map(|digits| digits.len().div_ceil(2) + 1).ok();
    let bytes = || value.as_b().map(|bytes| bytes.as_ref().len()).ok();
    let set = || value.as_ss().map(|texts| 3 + texts.iter().map(String::len).sum::<usize>()).ok();
    text.or_else(number).or_else(bytes).or_else(set).unwrap_or(1)
}

/// A row that was read. Its errors name the operation, the row and the attribute.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields<'a> {
    operation: &'static str,
    attributes: &'a Attributes,
}

impl<'a> Fields<'a> {
    /// # Errors
    /// A newer build wrote the row. The row is left as it is.
    pub(super) fn read(operation: &'static str, attributes: &'a Attributes) -> Result<Self, BackendError> {
        let fields = Self { operation, attributes };
        let observed = fields.maybe_number(FORMAT)?.unwrap_or(1);
        if observed > SUPPORTED_FORMAT {
            let why = format!("{observed} is newer than this build's format {SUPPORTED_FORMAT}; upgrade heal");
            return Err(fields.corrupt(FORMAT, why));
        }
        Ok(fields)
    }

    pub(super) fn text(&self, name: &str) -> Result<&'a str, BackendError> {
        self.maybe_text(name)?.ok_or_else(|| self.corrupt(name, "is missing"))
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<&'a str>, BackendError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::S(text)) => Ok(Some(text)),
            Some(_) => Err(self.corrupt(name, "is not a text")),
        }
    }

    pub(super) fn number(&self, name: &str) -> Result<u64, BackendError> {
        self.maybe_number(name)?.ok_or_else(|| self.corrupt(name, "is missing"))
    }

    pub(super) fn maybe_number(&self, name: &str) -> Result<Option<u64>, BackendError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::N(digits)) => {
                digits.parse().map(Some).map_err(|_| self.corrupt(name, "is not a whole number of 0 or more"))
            }
            Some(_) => Err(self.corrupt(name, "is not a number")),
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

    pub(super) fn maybe_bytes(&self, name: &str) -> Result<Option<&'a [u8]>, BackendError> {
        match self.attributes.get(name) {
            None => Ok(None),
            Some(AttributeValue::B(bytes)) => Ok(Some(bytes.as_ref())),
            Some(_) => Err(self.corrupt(name, "is not bytes")),
        }
    }

    /// A text, unpacked if it is packed.
    pub(super) fn packed(&self, name: &str) -> Result<String, BackendError> {
        let value = self.attributes.get(name).ok_or_else(|| self.corrupt(name, "is missing"))?;
        pack::unpack(value).map_err(|why| self.corrupt(name, why))
    }

    /// The members of a set of texts; empty if there is no such set.
    pub(super) fn set(&self, name: &str) -> Result<&'a [String], BackendError> {
        match self.attributes.get(name) {
            None => Ok(&[]),
            Some(AttributeValue::Ss(members)) => Ok(members),
            Some(_) => Err(self.corrupt(name, "is not a set of texts")),
        }
    }

    /// The error of an attribute that cannot be read.
    pub(super) fn corrupt(&self, name: &str, why: impl std::fmt::Display) -> BackendError {
        let part = |key: &str| match self.attributes.get(key) {
            Some(AttributeValue::S(text)) => text.as_str(),
            _ => "?",
        };
        BackendError::corrupt(self.operation, format!("row {} / {}, {name}: {why}", part(PK), part(SK)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_of_a_newer_build_is_refused_with_both_versions() {
        let row = |format: u64| Item::default().text(PK, "RUN#r").text(SK, "1").number(FORMAT, format).into();
        assert!(Fields::read("runs.load", &row(SUPPORTED_FORMAT)).is_ok());
        let error = Fields::read("runs.load", &row(SUPPORTED_FORMAT + 1)).unwrap_err().to_string();
        let expected = "row RUN#r / 1, format: 2 is newer than this build's format 1; upgrade heal";
        assert!(error.ends_with(expected), "{error}");
    }
}
