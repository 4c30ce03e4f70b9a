//! The count of runs for one target, written in the transaction that creates a run.

use aws_sdk_dynamodb::types::TransactWriteItem;
use heal_runtime::format;
use heal_runtime::port::{Created, NewRun, Repeat, RepeatCounter, Result};

use super::create::{check, put};
use crate::store::item::{Attributes, Fields, Item};
use crate::store::{Store, key};
use crate::text::chain;

/// The attribute with the counter.
const COUNTER: &str = "repeated";

/// The counter in a row, and its text.
pub(super) fn read_counter<'r>(operation: &'static str, row: &'r Attributes) -> Result<(&'r str, RepeatCounter)> {
    let fields = Fields::read(operation, row)?;
    let text = fields.text(COUNTER)?;
    let counter = format::decode(text).map_err(|error| fields.corrupt(COUNTER, chain(&error)))?;
    Ok((text, counter))
}

/// What a new run makes of the count.
pub(super) struct Count<'a> {
    run: &'a NewRun,
    repeat: &'a Repeat,
    /// The counter's text as it was read; `None` if there was no row.
    seen: Option<String>,
    after: std::result::Result<RepeatCounter, Created>,
}

impl<'a> Count<'a> {
    /// Reads the row; `None` if the run is not counted.
    pub(super) async fn read(store: &Store, operation: &'static str, run: &'a NewRun) -> Result<Option<Self>> {
        let Some(repeat) = &run.repeat else { return Ok(None) };
        let row = store.get(operation, &key::repeat(&repeat.key)).await?;
        Self::from_row(operation, run, row.as_ref())
    }

    pub(super) fn from_row(operation: &'static str, run: &'a NewRun, row: Option<&Attributes>) -> Result<Option<Self>> {
        let Some(repeat) = &run.repeat else { return Ok(None) };
        let (seen, before) = match row {
            None => (None, RepeatCounter::default()),
            Some(row) => {
                let (text, counter) = read_counter(operation, row)?;
                (Some(text.to_owned()), counter)
            }
        };
        Ok(Some(Self { run, repeat, seen, after: before.admit(run, repeat) }))
    }

    pub(super) const fn is_refused(&self) -> bool {
        self.after.is_err()
    }

    /// Why the run must not be created.
    pub(super) fn refusal(&self) -> Option<Created> {
        self.after.as_ref().err().cloned()
    }

    /// Writes the count if the row is still as it was read. Of a refused run, a condition that fails: the transaction then says which other
    /// conditions fail, and those come first.
    pub(super) fn write(&self, store: &Store) -> Result<TransactWriteItem> {
        let key = key::repeat(&self.repeat.key);
        let Ok(counter) = &self.after else { return check(store, &key) };
        let expires_at = counter.expires_at(self.run.commit.at, self.repeat);
        let item = Item::at(&key).text(COUNTER, format::encode(counter)).expires(expires_at, 0);
        match &self.seen {
            None => put(store, item, "attribute_not_exists(pk)", Item::default()),
            Some(seen) => put(store, item, "repeated = :seen", Item::default().text(":seen", seen)),
        }
    }
}
