//! Every reader of a row over one row, for the fuzz tests: behind the feature `fuzz`, which no program turns on.

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heal_runtime::port::Result;
use serde_json::Value;

use super::item::Attributes;
use super::{Store, autonomy, breaker, checks, claims, runs, switches};

/// The operation that errors name.
const OPERATION: &str = "fuzz";

/// What one reader made of a row.
#[derive(Debug)]
pub struct Reading {
    /// The reader.
    pub reader: &'static str,
    /// The bytes of the longest text that was unpacked, as far as the reader hands one out.
    pub outcome: Result<usize>,
}

impl Store {
    /// What each reader makes of a row in the form of DynamoDB's JSON; `None` if it is not such a row.
    pub fn read_row_every_way(row: &Value) -> Option<Vec<Reading>> {
        let row = attributes(row)?;
        let mut readings: Vec<Reading> = runs::read_every_way(OPERATION, &row).into_iter().collect();
        readings.extend(claims::read_every_way(OPERATION, &row));
        readings.extend([
            Reading { reader: "check", outcome: checks::read(OPERATION, &row).map(|(_, memory)| memory.len()) },
            Reading { reader: "breaker", outcome: breaker::record(OPERATION, &row).map(|_| 0) },
            Reading { reader: "autonomy", outcome: autonomy::read(OPERATION, &row).map(|_| 0) },
            Reading { reader: "halt", outcome: switches::read(OPERATION, &row).map(|_| 0) },
        ]);
        Some(readings)
    }
}

fn attributes(row: &Value) -> Option<Attributes> {
    row.as_object()?.iter().map(|(name, value)| Some((name.clone(), attribute(value)?))).collect()
}

/// A value by its type, as the protocol writes it: `{"S": "text"}`. Bytes are in base64.
fn attribute(value: &Value) -> Option<AttributeValue> {
    let (kind, value) = value.as_object()?.iter().next()?;
    let text = || value.as_str().map(ToOwned::to_owned);
    let texts = || value.as_array()?.iter().map(|text| text.as_str().map(ToOwned::to_owned)).collect::<Option<_>>();
    let bytes = |value: &Value| STANDARD.decode(value.as_str()?).ok().map(Blob::new);
    Some(match kind.as_str() {
        "S" => AttributeValue::S(text()?),
        "N" => AttributeValue::N(text()?),
        "B" => AttributeValue::B(bytes(value)?),
        "BOOL" => AttributeValue::Bool(value.as_bool()?),
        "NULL" => AttributeValue::Null(value.as_bool()?),
        "SS" => AttributeValue::Ss(texts()?),
        "NS" => AttributeValue::Ns(texts()?),
        "BS" => AttributeValue::Bs(value.as_array()?.iter().map(bytes).collect::<Option<_>>()?),
        "L" => AttributeValue::L(value.as_array()?.iter().map(attribute).collect::<Option<_>>()?),
        "M" => AttributeValue::M(attributes(value)?),
        _ => return None,
    })
}
