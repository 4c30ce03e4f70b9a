//! The memory of scheduled checks between two probes.

use async_trait::async_trait;
use heal_runtime::port::{CheckStore, Result};

use super::Store;
use super::call::Written;
use super::item::{Attributes, Fields, Item};
use super::{key, pack};
use crate::limit::WRITE_UNIT_BYTES;

#[async_trait]
impl CheckStore for Store {
    async fn load(&self, name: &str) -> Result<Option<(u64, String)>> {
        let operation = "checks.load";
        let found = self.get(operation, &key::check(name)).await?;
        found.map(|row| read(operation, &row)).transpose()
    }

    async fn store(&self, name: &str, expected_version: u64, json: &str) -> Result<bool> {
        let memory = pack::pack(json, WRITE_UNIT_BYTES / 2);
        let next = expected_version + 1;
        let item = Item::at(&key::check(name)).number("revision", next).value("memory", memory.clone());
        let values = Item::default().number(":next", next).value(":memory", memory);
        // The second half of each condition recognises a retry of this write.
        let written = if expected_version == 0 {
            let condition = "attribute_not_exists(pk) OR (revision = :next AND memory = :memory)";
            self.put("checks.store", item, condition, values).await?
        } else {
            let condition = "revision = :expected OR (revision = :next AND memory = :memory)";
            self.put("checks.store", item, condition, values.number(":expected", expected_version)).await?
        };
        match written {
            Written::Done(_) => Ok(true),
            Written::Refused(_) => Ok(false),
        }
    }
}

/// The revision and the memory in a row.
pub(super) fn read(operation: &'static str, row: &Attributes) -> Result<(u64, String)> {
    let fields = Fields::read(operation, row)?;
    Ok((fields.number("revision")?, fields.packed("memory")?))
}
