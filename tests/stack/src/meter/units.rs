//! The billed units of a DynamoDB call (Developer Guide, "Read and write operations" and "Item sizes and formats"): one
//! write unit per kilobyte, twice that in a transaction, and once more for an index that contains the row; one read unit
//! per four kilobytes, half of it if the read is not strongly consistent. A failed condition is billed like the write.

use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Units {
    pub write: u64,
    /// Read units, in halves.
    pub half_reads: u64,
}

/// The billed units of the call named `name`, by the kind of row: the part of its partition key before the `#`.
pub(super) fn units_of(name: &str, asked: &Value, answered: &Value) -> Vec<(String, Units)> {
    match name {
        "PutItem" => vec![written(&asked["Item"], put(&asked["Item"]))],
        // The whole row after the update counts.
        "UpdateItem" => vec![written(&asked["Key"], put(&answered["Attributes"]))],
        "DeleteItem" => vec![written(&asked["Key"], 1)],
        "TransactWriteItems" => {
            let writes = asked["TransactItems"].as_array().into_iter().flatten();
            let unit = |one: &Value| match one.pointer("/Put/Item") {
                Some(item) => written(item, 2 * put(item)),
                None => written(one.pointer("/ConditionCheck/Key").unwrap_or(&Value::Null), 2),
            };
            writes.map(unit).collect()
        }
        "GetItem" => vec![read(kind(&asked["Key"]), bytes(&answered["Item"]), asked)],
        "Query" => {
            let partition = asked.pointer("/ExpressionAttributeValues/:pk").unwrap_or(&Value::Null);
            let found = answered["Items"].as_array().into_iter().flatten().map(bytes).sum();
            vec![read(kind(&json!({"pk": partition})), found, asked)]
        }
        "BatchGetItem" => {
            let tables = asked["RequestItems"].as_object().into_iter().flatten();
            let units = tables.flat_map(|(table, wanted)| {
                let found = answered.get("Responses").and_then(|found| found.get(table)).and_then(Value::as_array);
                let found = found.map_or(&[][..], Vec::as_slice);
                let keys = wanted.get("Keys").and_then(Value::as_array).into_iter().flatten();
                keys.map(|key| {
                    let row = found.iter().find(|row| row["pk"] == key["pk"] && row["sk"] == key["sk"]);
                    read(kind(key), row.map_or(0, bytes), wanted)
                })
                .collect::<Vec<_>>()
            });
            units.collect()
        }
        _ => Vec::new(),
    }
}

fn kind(key: &Value) -> String {
    let pk = key.pointer("/pk/S").and_then(Value::as_str).unwrap_or("other");
    pk.split('#').next().unwrap_or(pk).to_owned()
}

fn written(row: &Value, units: u64) -> (String, Units) {
    (kind(row), Units { write: units, half_reads: 0 })
}

fn read(kind: String, bytes: u64, asked: &Value) -> (String, Units) {
    let units = bytes.div_ceil(4_096).max(1);
    let is_consistent = asked.get("ConsistentRead").and_then(Value::as_bool).unwrap_or(false);
    (kind, Units { half_reads: if is_consistent { 2 * units } else { units }, write: 0 })
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
    use super::*;

    fn sum(name: &str, asked: &Value, answered: &Value) -> Units {
        let units = units_of(name, asked, answered);
        let add = |a: Units, b: Units| Units { write: a.write + b.write, half_reads: a.half_reads + b.half_reads };
        units.into_iter().fold(Units::default(), |sum, (_, units)| add(sum, units))
    }

    #[test]
    fn a_write_is_billed_by_the_kilobyte_and_twice_in_a_transaction() {
        let small = json!({"pk": {"S": "a"}, "n": {"N": "1"}});
        assert_eq!(sum("PutItem", &json!({"Item": small}), &Value::Null), Units { write: 1, half_reads: 0 });
        let large = json!({"pk": {"S": "x".repeat(1_100)}});
        let indexed = json!({"pk": {"S": "a"}, "gsi_pk": {"S": "FAILED"}, "events": {"S": "x".repeat(1_100)}});
        assert_eq!(sum("PutItem", &json!({"Item": indexed}), &Value::Null).write, 3);
        let transaction = json!({"TransactItems": [{"Put": {"Item": small}}, {"Put": {"Item": large}}]});
        assert_eq!(sum("TransactWriteItems", &transaction, &Value::Null).write, 6);
    }

    #[test]
    fn a_read_is_billed_by_four_kilobytes_and_half_if_eventually_consistent() {
        let found = json!({"Items": [{"pk": {"S": "x".repeat(3_000)}}, {"pk": {"S": "x".repeat(3_000)}}]});
        assert_eq!(sum("Query", &json!({"ConsistentRead": true}), &found).half_reads, 4);
        assert_eq!(sum("Query", &json!({}), &found).half_reads, 2);
        assert_eq!(sum("GetItem", &json!({"ConsistentRead": true}), &json!({})).half_reads, 2);
    }

    #[test]
    fn units_are_counted_by_the_kind_of_row() {
        let put = |pk: &str| json!({"Put": {"Item": {"pk": {"S": pk}}}});
        let check = json!({"ConditionCheck": {"Key": {"pk": {"S": "LIVE#3"}}}});
        let units = units_of("TransactWriteItems", &json!({"TransactItems": [put("RUN#r-1"), check]}), &Value::Null);
        let two = Units { write: 2, half_reads: 0 };
        assert_eq!(units, [("RUN".to_owned(), two), ("LIVE".to_owned(), two)]);
        let keys = json!({"RequestItems": {"t": {"Keys": [{"pk": {"S": "COOLDOWN#a"}, "sk": {"S": "COOLDOWN"}}]}}});
        let missing = Units { write: 0, half_reads: 1 };
        assert_eq!(units_of("BatchGetItem", &keys, &json!({})), [("COOLDOWN".to_owned(), missing)]);
    }
}
