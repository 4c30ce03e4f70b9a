//! Converts the values of the template engine to JSON.

use minijinja::value::{Value as Dynamic, ValueKind};
use serde_json::Value;

/// # Errors
/// A value that JSON cannot represent, in words: an undefined value inside a list, a number that is not finite, bytes.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the template engine is non-exhaustive")]
pub(super) fn to_json(value: &Dynamic) -> Result<Value, String> {
    match value.kind() {
        ValueKind::Undefined => Err("an undefined value".to_owned()),
        ValueKind::None => Ok(Value::Null),
        ValueKind::Bool => Ok(Value::Bool(value.is_true())),
        ValueKind::Number => number(value),
        ValueKind::String => Ok(Value::String(value.as_str().map_or_else(|| value.to_string(), ToOwned::to_owned))),
        ValueKind::Seq | ValueKind::Iterable => {
            items(value)?.map(|item| to_json(&item)).collect::<Result<_, _>>().map(Value::Array)
        }
        ValueKind::Map => {
            let field = |key: Dynamic| {
                let item = value.get_item(&key).map_err(|error| error.to_string())?;
                to_json(&item).map(|item| (key.to_string(), item))
            };
            items(value)?.map(field).collect::<Result<_, _>>().map(Value::Object)
        }
        other => Err(format!("a value of type {other}")),
    }
}

fn items(value: &Dynamic) -> Result<impl Iterator<Item = Dynamic> + use<>, String> {
    value.try_iter().map_err(|error| error.to_string())
}

fn number(value: &Dynamic) -> Result<Value, String> {
    if value.is_integer() {
        if let Ok(number) = i64::try_from(value.clone()) {
            return Ok(Value::from(number));
        }
        if let Ok(number) = u64::try_from(value.clone()) {
            return Ok(Value::from(number));
        }
        return Err(format!("the integer {value}, which has more than 64 bits"));
    }
    let number = f64::try_from(value.clone()).map_err(|error| error.to_string())?;
    serde_json::Number::from_f64(number).map(Value::Number).ok_or_else(|| format!("the number {number}"))
}
