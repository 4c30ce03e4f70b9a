//! The cost of a JSON Schema: how many subschemas one evaluation visits at most.
//!
//! A small schema can be expensive: 30 definitions, each of which refers to the next one twice, are a billion subschemas. [`cost`] counts
//! them without making them, so that such a schema is refused before a validator is made of it. Each subschema visits an element of the
//! value at most once, so the cost times the value's elements ([`elements`]) bounds an evaluation.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::limit;

/// Keywords whose value maps names to subschemas.
const MAPS: [&str; 6] = ["properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"];
/// Keywords whose value is data, not a schema.
const DATA: [&str; 4] = ["const", "enum", "default", "examples"];
/// Keywords of references whose target is not known before the evaluation.
const DYNAMIC: [&str; 2] = ["$dynamicRef", "$recursiveRef"];
/// Keywords that evaluate the subschemas beside them once more.
const UNEVALUATED: [&str; 2] = ["unevaluatedProperties", "unevaluatedItems"];

/// Why a schema is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// The text is too long.
    #[error("the schema has {bytes} bytes, the limit is {} bytes", limit::SCHEMA_BYTES)]
    TooLarge {
        /// As compact JSON.
        bytes: usize,
    },
    /// There are too many subschemas.
    #[error("the schema has more than {} subschemas", limit::SCHEMA_PARTS)]
    TooManyParts,
    /// Subschemas are nested too deeply, with the references followed.
    #[error(
        "the schema is nested more than {} levels deep at `{place}`; a reference counts as a level",
        limit::SCHEMA_DEPTH
    )]
    TooDeep {
        /// The keyword or name.
        place: String,
    },
    /// The references multiply the subschemas.
    #[error(
        "with its references followed, the schema has more than {} subschemas; refer to a definition fewer times",
        limit::SCHEMA_COST
    )]
    TooCostly,
    /// A definition contains itself.
    #[error("the reference `{target}` leads back to itself; write the levels out")]
    Cycle {
        /// The reference.
        target: String,
    },
    /// A reference that is not a path of this schema.
    #[error("the reference `{target}` is not a path in this schema; use `$defs` and `#/$defs/NAME`")]
    NoTarget {
        /// The reference.
        target: String,
    },
    /// A keyword that makes the target of a reference depend on the evaluation.
    #[error("`{keyword}` is not supported; use `$ref` and `#/$defs/NAME`")]
    Unsupported {
        /// The keyword.
        keyword: String,
    },
}

/// Subschemas that one evaluation of `schema` visits for one element of a value, at most.
///
/// # Guarantees
/// Time and memory are bounded for any schema.
///
/// # Errors
/// The schema is larger, deeper or more expensive than [`limit`] allows, or its cost cannot be known in advance.
pub fn cost(schema: &Value) -> Result<u64, SchemaError> {
    let bytes = schema.to_string().len();
    if bytes > limit::SCHEMA_BYTES {
        return Err(SchemaError::TooLarge { bytes });
    }
    let mut walk = Walk { root: schema, known: BTreeMap::new(), open: Vec::new(), parts: 0 };
    walk.cost(schema, 0, "")
}

/// Values inside `value`, itself included.
pub fn elements(value: &Value) -> u64 {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 1,
        Value::Array(items) => 1 + items.iter().map(elements).sum::<u64>(),
        Value::Object(fields) => 1 + fields.values().map(elements).sum::<u64>(),
    }
}

struct Walk<'s> {
    root: &'s Value,
    /// The costs of the references that were followed.
    known: BTreeMap<&'s str, u64>,
    /// The references that are being followed.
    open: Vec<&'s str>,
    parts: usize,
}

impl<'s> Walk<'s> {
    fn cost(&mut self, schema: &'s Value, depth: usize, place: &str) -> Result<u64, SchemaError> {
        if depth > limit::SCHEMA_DEPTH {
            return Err(SchemaError::TooDeep { place: place.to_owned() });
        }
        let Value::Object(fields) = schema else { return Ok(1) };
        self.parts += 1;
        if self.parts > limit::SCHEMA_PARTS {
            return Err(SchemaError::TooManyParts);
        }
        if depth > 0 && fields.contains_key("$id") {
            return Err(SchemaError::Unsupported { keyword: "$id".to_owned() });
        }
        let mut sum: u64 = 1;
        for (keyword, value) in fields {
            sum = sum.saturating_add(self.keyword(keyword, value, depth)?);
        }
        if UNEVALUATED.iter().any(|keyword| fields.contains_key(*keyword)) {
            sum = sum.saturating_mul(2);
        }
        if sum > limit::SCHEMA_COST { Err(SchemaError::TooCostly) } else { Ok(sum) }
    }

    fn keyword(&mut self, keyword: &'s str, value: &'s Value, depth: usize) -> Result<u64, SchemaError> {
        match value {
            Value::String(target) if keyword == "$ref" => self.reference(target, depth),
            _ if DYNAMIC.contains(&keyword) => Err(SchemaError::Unsupported { keyword: keyword.to_owned() }),
            _ if DATA.contains(&keyword) => Ok(0),
            Value::Object(fields) if MAPS.contains(&keyword) => {
                let cost = self.all(fields, depth)?;
                // Definitions are evaluated where something refers to them.
                Ok(if matches!(keyword, "$defs" | "definitions") { 0 } else { cost })
            }
            Value::Object(_) => self.cost(value, depth + 1, keyword),
            Value::Array(items) => items
                .iter()
                .filter(|item| item.is_object())
                .try_fold(0_u64, |sum, item| Ok(sum.saturating_add(self.cost(item, depth + 1, keyword)?))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(0),
        }
    }

    fn all(&mut self, fields: &'s Map<String, Value>, depth: usize) -> Result<u64, SchemaError> {
        fields
            .iter()
            .try_fold(0_u64, |sum, (name, schema)| Ok(sum.saturating_add(self.cost(schema, depth + 1, name)?)))
    }

    fn reference(&mut self, target: &'s str, depth: usize) -> Result<u64, SchemaError> {
        if let Some(cost) = self.known.get(target) {
            return Ok(*cost);
        }
        if self.open.contains(&target) || target == "#" {
            return Err(SchemaError::Cycle { target: target.to_owned() });
        }
        let pointer = target.strip_prefix('#').filter(|pointer| pointer.starts_with('/'));
        let schema = pointer.and_then(|pointer| self.root.pointer(pointer));
        let schema = schema.ok_or_else(|| SchemaError::NoTarget { target: target.to_owned() })?;
        self.open.push(target);
        let cost = self.cost(schema, depth + 1, target)?;
        self.open.pop();
        self.known.insert(target, cost);
        Ok(cost)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// `count` definitions, each of which is `keyword` of the next one twice.
    fn doubling(keyword: &str, count: usize) -> Value {
        let mut definitions = Map::new();
        for index in 0..count {
            let next = json!({"$ref": format!("#/$defs/d{}", index + 1)});
            definitions.insert(format!("d{index}"), json!({keyword: [next, next]}));
        }
        definitions.insert(format!("d{count}"), json!({"type": "object"}));
        json!({"$ref": "#/$defs/d0", "$defs": definitions})
    }

    #[test]
    fn a_schema_as_people_write_it_costs_its_subschemas() {
        let schema = json!({
            "type": "object", "required": ["ticket_id"],
            "properties": {"ticket_id": {"type": "string"}, "enum": {"$ref": "#/$defs/level"}, "tags": {"items": {"type": "string"}}},
            "$defs": {"level": {"enum": [{"a": {}}, "high"]}},
        });
        // The root, four properties and items, and the definition behind the reference.
        assert_eq!(cost(&schema), Ok(6));
    }

    #[test]
    fn references_that_multiply_are_refused_without_being_expanded() {
        for keyword in ["allOf", "anyOf", "oneOf"] {
            assert!(cost(&doubling(keyword, 5)).is_ok(), "{keyword}");
            let schema = doubling(keyword, 14);
            assert!(schema.to_string().len() < 1_500, "{}", schema.to_string().len());
            assert_eq!(cost(&schema), Err(SchemaError::TooCostly), "{keyword}");
        }
    }

    #[test]
    fn every_bound_names_its_limit() {
        let cycle = json!({"$ref": "#/$defs/a", "$defs": {"a": {"items": {"$ref": "#/$defs/b"}}, "b": {"not": {"$ref": "#/$defs/a"}}}});
        let mut deep = json!({});
        for _ in 0..=limit::SCHEMA_DEPTH {
            deep = json!({"not": deep});
        }
        let many: Vec<_> = (0..limit::SCHEMA_PARTS).map(|_| json!({})).collect();
        let mut unevaluated = json!({});
        for _ in 0..20 {
            unevaluated = json!({"allOf": [unevaluated], "unevaluatedProperties": false});
        }
        let cases = [
            (json!({"const": "x".repeat(limit::SCHEMA_BYTES)}), "bytes, the limit is 32768 bytes"),
            (cycle, "leads back to itself; write the levels out"),
            (json!({"properties": {"a": {"$ref": "#"}}}), "the reference `#` leads back"),
            (deep, "nested more than 32 levels deep at `not`"),
            (json!({"allOf": many}), "more than 500 subschemas"),
            (unevaluated, "with its references followed, the schema has more than 2000 subschemas"),
            (json!({"$ref": "#name"}), "the reference `#name` is not a path in this schema"),
            (json!({"$dynamicRef": "#/x"}), "`$dynamicRef` is not supported"),
            (json!({"not": {"$id": "other"}}), "`$id` is not supported"),
        ];
        for (schema, expected) in cases {
            let error = cost(&schema).expect_err(expected).to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_schema_has_as_much_of_everything_as_the_limits_say() {
        let text = |bytes: usize| json!({"const": "x".repeat(bytes - json!({"const": ""}).to_string().len())});
        assert_eq!(cost(&text(limit::SCHEMA_BYTES)), Ok(1));
        assert_eq!(cost(&text(limit::SCHEMA_BYTES + 1)), Err(SchemaError::TooLarge { bytes: limit::SCHEMA_BYTES + 1 }));
        let parts = |count: usize| json!({"allOf": vec![json!({}); count - 1]});
        assert_eq!(cost(&parts(limit::SCHEMA_PARTS)), Ok(limit::SCHEMA_PARTS as u64));
        assert_eq!(cost(&parts(limit::SCHEMA_PARTS + 1)), Err(SchemaError::TooManyParts));
        // The root, and so many references to 100 subschemas each.
        let of = |references: u64, more: u64| {
            let refers = vec![json!({"$ref": "#/$defs/a"}); usize::try_from(references).unwrap()];
            let more = vec![json!({}); usize::try_from(more).unwrap()];
            json!({"allOf": refers, "anyOf": more, "$defs": {"a": {"allOf": vec![json!({}); 99]}}})
        };
        let (references, more) = ((limit::SCHEMA_COST - 1) / 101, (limit::SCHEMA_COST - 1) % 101);
        assert_eq!(cost(&of(references, more)), Ok(limit::SCHEMA_COST));
        assert_eq!(cost(&of(references, more + 1)), Err(SchemaError::TooCostly));
    }

    #[test]
    fn every_way_to_nest_is_a_level() {
        let nest: [fn(Value) -> Value; 3] = [
            |inner| json!({"not": inner}),
            |inner| json!({"allOf": [inner]}),
            |inner| json!({"properties": {"a": inner}}),
        ];
        for nest in nest {
            let levels = |count: usize| (0..count).fold(json!({}), |inner, _| nest(inner));
            assert!(cost(&levels(limit::SCHEMA_DEPTH)).is_ok());
            assert!(matches!(cost(&levels(limit::SCHEMA_DEPTH + 1)), Err(SchemaError::TooDeep { .. })));
        }
        // `$ref` comes first, so no definition is known before it.
        let chain = |count: usize| {
            let refer = |index: usize| json!({"$ref": format!("#/definitions/d{}", index + 1)});
            let mut definitions: Map<_, _> = (0..count).map(|index| (format!("d{index}"), refer(index))).collect();
            definitions.insert(format!("d{count}"), json!({}));
            json!({"$ref": "#/definitions/d0", "definitions": definitions})
        };
        assert!(cost(&chain(limit::SCHEMA_DEPTH - 1)).is_ok());
        assert!(matches!(cost(&chain(limit::SCHEMA_DEPTH)), Err(SchemaError::TooDeep { .. })));
    }

    #[test]
    fn a_root_may_have_an_id() {
        assert_eq!(cost(&json!({"$id": "https://example.com/a"})), Ok(1));
    }

    #[test]
    fn every_value_is_an_element_and_so_is_what_contains_it() {
        for (value, expected) in [
            (json!(null), 1),
            (json!([]), 1),
            (json!({}), 1),
            (json!([1, "a", [true]]), 5),
            (json!({"a": {"b": [1, 2]}}), 5),
        ] {
            assert_eq!(elements(&value), expected, "{value}");
        }
    }
}
