//! Rows of the table on AWS: a damaged one is an error that names it.

use std::error::Error as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heal_aws::limit::UNPACKED_BYTES;
use heal_aws::{Reading, Store};
use heal_fuzz::{Mutator, files, fuzz_texts, root};
use serde_json::{Map, Value, json};

/// The kinds of a value that a damaged row may have instead of the right one.
const KINDS: [&str; 6] = ["S", "N", "B", "BOOL", "SS", "L"];

/// Every golden row as a text of its own.
fn golden() -> Vec<Vec<u8>> {
    let rows = |file: Vec<u8>| -> Vec<Value> { serde_json::from_slice(&file).unwrap_or_default() };
    let all = files(&root().join("shared/aws/tests/golden")).into_iter().flat_map(rows);
    all.filter(|row| row.get("pk").is_some()).map(|row| row.to_string().into_bytes()).collect()
}

#[test]
fn rows_are_read_or_refused_by_name() {
    let golden = golden();
    assert!(golden.len() > 50, "{} golden rows", golden.len());
    let readable = golden.iter().filter(|row| is_readable(&serde_json::from_slice(row).unwrap())).count();
    assert_eq!(readable, golden.len(), "every golden row has a reader");
    fuzz_texts("rows", golden, |input| {
        let Ok(Value::Object(row)) = serde_json::from_slice(input) else { return };
        judge(&row);
        // What is under the JSON changes too: the type of a value, and packed bytes, which base64 hides from a change of the text.
        let mut mutator =
            Mutator::new(input.iter().fold(0, |sum: u64, byte| sum.wrapping_mul(31).wrapping_add(u64::from(*byte))));
        judge(&with_another_kind(&row, &mut mutator));
        judge(&with_other_bytes(&row, &mut mutator));
    });
}

fn is_readable(row: &Value) -> bool {
    Store::read_row_every_way(row).is_some_and(|readings| readings.iter().any(|reading| reading.outcome.is_ok()))
}

fn judge(row: &Map<String, Value>) {
    let row = Value::Object(row.clone());
    let Some(readings) = Store::read_row_every_way(&row) else { return };
    let part = |name: &str| row.pointer(&format!("/{name}/S")).and_then(Value::as_str).unwrap_or("?");
    let name = format!("row {} / {}", part("pk"), part("sk"));
    for Reading { reader, outcome } in readings {
        match outcome {
            Ok(bytes) => assert!(bytes <= UNPACKED_BYTES, "{reader}: {bytes} bytes"),
            Err(error) => {
                let told = format!("{error}: {}", error.source().map(ToString::to_string).unwrap_or_default());
                assert!(told.contains(&name), "{reader} does not name {name}: {told}");
            }
        }
    }
}

/// The row with one value under another type, or without one.
fn with_another_kind(row: &Map<String, Value>, mutator: &mut Mutator) -> Map<String, Value> {
    let mut row = row.clone();
    let Some(name) = pick(row.keys().cloned().collect(), mutator) else { return row };
    let value = row.remove(&name).unwrap_or_default();
    let plain = value.as_object().and_then(|value| value.values().next()).cloned().unwrap_or_default();
    match KINDS.get(mutator.index(KINDS.len() + 1)) {
        None => {}
        Some(&"SS") => drop(row.insert(name, json!({"SS": [plain]}))),
        Some(&"L") => drop(row.insert(name, json!({"L": [value]}))),
        Some(kind) => drop(row.insert(name, json!({*kind: plain}))),
    }
    row
}

/// The row with one packed text changed in its bytes.
fn with_other_bytes(row: &Map<String, Value>, mutator: &mut Mutator) -> Map<String, Value> {
    let mut row = row.clone();
    let bytes = |value: &Value| STANDARD.decode(value.get("B")?.as_str()?).ok();
    let packed: Vec<_> = row.iter().filter_map(|(name, value)| Some((name.clone(), bytes(value)?))).collect();
    if let Some((name, bytes)) = pick(packed, mutator) {
        row.insert(name, json!({"B": STANDARD.encode(mutator.mutate(&[bytes]))}));
    }
    row
}

fn pick<T>(mut of: Vec<T>, mutator: &mut Mutator) -> Option<T> {
    if of.is_empty() {
        return None;
    }
    let index = mutator.index(of.len());
    Some(of.swap_remove(index))
}
