//! The billed units of a DynamoDB call (Developer Guide, "Read and write operations" and "Item sizes and formats"): one
//! write unit per kilobyte, twice that in a transaction, and once more for an index that contains the row; one read unit
//! per four kilobytes, half of it if the read is not strongly consistent. A failed condition is billed like the write.

use serde_json::Value;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub write: u64,
    /// Read units, in halves.
    pub half_reads: u64,
}

/// The billed units of the call named `name`.
pub(super) fn units_of(name: &str, asked: &Value, answered: &Value) -> Units {
    match name {
        "PutItem" => write(put(asked.get("Item").unwrap_or(&Value::Null))),
        // The whole row after the update counts.
        "UpdateItem" => write(put(&answered["Attributes"])),
        "DeleteItem" => write(1),
        "TransactWriteItems" => {
            let writes = asked["TransactItems"].as_array().into_iter().flatten();
            write(writes.map(|one| 2 * put(one.pointer("/Put/Item").unwrap_or(&Value::Null))).sum())
        }
        "GetItem" => read(bytes(&answered["Item"]), asked),
        "Query" => read(answered["Items"].as_array().into_iter().flatten().map(bytes).sum(), asked),
        "BatchGetItem" => {
            let tables = asked["RequestItems"].as_object().into_iter().flatten();
            let units = tables.map(|(table, wanted)| {
                let found = answered.get("Responses").and_then(|found| found.get(table)).and_then(Value::as_array);
                let found: Vec<u64> =
                    found.into_iter().flatten().map(|row| read(bytes(row), wanted).half_reads).collect();
                let keys = wanted.get("Keys").and_then(Value::as_array).map_or(0, Vec::len);
                let missing = keys.saturating_sub(found.len()) as u64;
                found.iter().sum::<u64>() + missing * read(0, wanted).half_reads
            });
            Units { half_reads: units.sum(), write: 0 }
        }
        _ => Units::default(),
    }
}

const fn write(units: u64) -> Units {
    Units { write: units, half_reads: 0 }
}

fn read(bytes: u64, asked: &Value) -> Units {
    let units = bytes.div_ceil(4_096).max(1);
    let is_consistent = asked.get("ConsistentRead").and_then(Value::as_bool).unwrap_or(false);
    Units { half_reads: if is_consistent { 2 * units } else { units }, write: 0 }
}

/// The units of writing a row and its index entry.
fn put(item: &Value) -> u64 {
    let own = bytes(item).div_ceil(1_024).max(1);
    if item.get("gsi_pk").is_none() {
        return own;
    }
    let projected: u64 =
        item.as_object().into_iter().flatten().filter(|(name, _)| *name != "events").map(attribute).sum();
    own + projected.div_ceil(1_024).max(1)
}

fn bytes(item: &Value) -> u64 {
    item.as_object().into_iter().flatten().map(attribute).sum()
}

fn attribute((name, value): (&String, &Value)) -> u64 {
    let text = |value: &Value| value.as_str().map_or(0, str::len) as u64;
    let of_type = |(kind, value): (&String, &Value)| match kind.as_str() {
        "S" => text(value),
        "N" => text(value).div_ceil(2) + 1,
        // Base64: four letters for three bytes.
        "B" => text(value) * 3 / 4,
        "SS" => 3 + value.as_array().into_iter().flatten().map(text).sum::<u64>(),
        _ => 1,
    };
    name.len() as u64 + value.as_object().into_iter().flatten().map(of_type).sum::<u64>()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_write_is_billed_by_the_kilobyte_and_twice_in_a_transaction() {
        let small = json!({"pk": {"S": "a"}, "n": {"N": "1"}});
        assert_eq!(units_of("PutItem", &json!({"Item": small}), &Value::Null), Units { write: 1, half_reads: 0 });
        let large = json!({"pk": {"S": "x".repeat(1_100)}});
        let indexed = json!({"pk": {"S": "a"}, "gsi_pk": {"S": "FAILED"}, "events": {"S": "x".repeat(1_100)}});
        assert_eq!(units_of("PutItem", &json!({"Item": indexed}), &Value::Null).write, 3);
        let transaction = json!({"TransactItems": [{"Put": {"Item": small}}, {"Put": {"Item": large}}]});
        assert_eq!(units_of("TransactWriteItems", &transaction, &Value::Null).write, 6);
    }

    #[test]
    fn a_read_is_billed_by_four_kilobytes_and_half_if_eventually_consistent() {
        let found = json!({"Items": [{"pk": {"S": "x".repeat(3_000)}}, {"pk": {"S": "x".repeat(3_000)}}]});
        assert_eq!(units_of("Query", &json!({"ConsistentRead": true}), &found).half_reads, 4);
        assert_eq!(units_of("Query", &json!({}), &found).half_reads, 2);
        assert_eq!(units_of("GetItem", &json!({"ConsistentRead": true}), &json!({})).half_reads, 2);
    }
}
