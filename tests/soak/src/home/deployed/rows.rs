//! What the table of the stack has when everything has ended.

use std::collections::BTreeMap;

use heal_aws::Store;
use heal_runtime::Timestamp;
use heal_stack::{MiniStack, table};
use serde_json::{Value, json};

/// The kinds of rows that stay: breakers, one row a service; what checks remember, one row a check.
const KEPT: [&str; 2] = ["BREAKER", "CHECK"];

/// Rows by kind, which is the start of their key.
pub(super) type Rows = BTreeMap<String, u64>;

/// Every row, and of those the ones that DynamoDB does not delete by `at`.
pub(super) async fn count(stack: &MiniStack, store: &Store, at: Timestamp) -> (Rows, Rows) {
    let (mut all, mut staying) = (Rows::new(), Rows::new());
    let mut asked = json!({"TableName": store.table()});
    loop {
        let mut page = table::call(stack, "DynamoDB_20120810.Scan", &asked).await;
        for row in page.get("Items").and_then(Value::as_array).into_iter().flatten() {
            let (kind, stays) = read(row, at);
            *staying.entry(kind.clone()).or_default() += u64::from(stays);
            *all.entry(kind).or_default() += 1;
        }
        let Some(last) = page.get_mut("LastEvaluatedKey").map(Value::take).filter(|last| !last.is_null()) else {
            staying.retain(|_, rows| *rows > 0);
            return (all, staying);
        };
        asked = json!({"TableName": store.table(), "ExclusiveStartKey": last});
    }
}

/// The kind of a row, and whether it outlives `at`.
fn read(row: &Value, at: Timestamp) -> (String, bool) {
    let key = row.pointer("/pk/S").and_then(Value::as_str).unwrap_or_default();
    let kind = key.split('#').next().unwrap_or_default().to_owned();
    let expires_at = row.pointer("/expires_at/N").and_then(Value::as_str).and_then(|text| text.parse::<u64>().ok());
    (kind, expires_at.is_none_or(|seconds| seconds.saturating_mul(1_000) > at.0))
}

/// Rows that are there for ever, as sentences.
pub(super) fn findings(staying: &Rows) -> Vec<String> {
    let left = staying.iter().filter(|(kind, _)| !KEPT.contains(&kind.as_str()));
    left.map(|(kind, rows)| format!("{rows} rows of the kind {kind} are never collected")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_unless_its_expiry_has_come() {
        let row = |key: &str, expiry: Value| json!({"pk": {"S": key}, "expires_at": expiry});
        let at = Timestamp(100_000);
        assert_eq!(read(&row("CLAIM#x#y", json!({"N": "100"})), at), ("CLAIM".to_owned(), false));
        assert_eq!(read(&row("CLAIM#x#y", json!({"N": "101"})), at), ("CLAIM".to_owned(), true));
        assert_eq!(read(&row("LIVE#1", Value::Null), at), ("LIVE".to_owned(), true));
    }

    #[test]
    fn a_live_row_that_is_left_is_a_finding_and_a_breaker_is_none() {
        let staying = [("LIVE".to_owned(), 2), ("BREAKER".to_owned(), 3)].into();
        assert_eq!(findings(&staying), ["2 rows of the kind LIVE are never collected"]);
    }
}
