//! Strict JSON: refuses duplicate keys and deep nesting, with an error that names the place.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::{DEPTH_LEVELS, IntakeError, path};
use crate::Map;

/// Parses `text` as a JSON object; `inside` is the path of the field with the text.
///
/// Parses twice: first to validate, then to build the value, so that validation needs no number representation of its own.
pub(super) fn object(text: &str, inside: &str) -> Result<Map, IntakeError> {
    let fault = RefCell::new(None);
    let mut reader = serde_json::Deserializer::from_str(text);
    let validator = Validator { at: &Node { parent: None, step: Step::Root, level: 1 }, fault: &fault };
    let valid = validator.deserialize(&mut reader).and_then(|()| reader.end());
    valid.map_err(|error| explain(&error, fault.take(), inside))?;
    match serde_json::from_str(text).map_err(|error| explain(&error, None, inside))? {
        Value::Object(fields) => Ok(fields),
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            Err(IntakeError::field(inside.to_owned(), crate::template::brief(&other), "an object"))
        }
    }
}

/// An error that the parser's own error type cannot hold.
#[derive(Debug)]
enum Fault {
    Duplicate(String),
    Deep(String),
}

fn explain(error: &serde_json::Error, fault: Option<Fault>, inside: &str) -> IntakeError {
    let (line, column, inside) = (error.line(), error.column(), inside.to_owned());
    let below = |path: String| {
        if inside.is_empty() || path.starts_with('[') { format!("{inside}{path}") } else { format!("{inside}.{path}") }
    };
    match fault {
        Some(Fault::Duplicate(path)) => IntakeError::DuplicateKey { path: below(path), inside, line, column },
        Some(Fault::Deep(path)) => IntakeError::TooDeep { path: below(path), inside, line, column },
        None => {
            let text = error.to_string();
            let place = format!(" at line {line} column {column}");
            IntakeError::NotJson { inside, detail: text.strip_suffix(&place).unwrap_or(&text).to_owned(), line, column }
        }
    }
}

/// One level of nesting, on the stack of the recursion.
#[derive(Debug)]
struct Node<'a> {
    parent: Option<&'a Node<'a>>,
    step: Step<'a>,
    /// Of a list or an object at this node; 1 for the root.
    level: usize,
}

#[derive(Debug)]
enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl Node<'_> {
    fn path(&self) -> String {
        let parent = self.parent.map(Node::path).unwrap_or_default();
        match self.step {
            Step::Root => parent,
            Step::Key(key) => path::join(&parent, key),
            Step::Index(index) => path::index(&parent, index),
        }
    }
}

#[derive(Debug, Clone, Copy)]
struct Validator<'a> {
    at: &'a Node<'a>,
    fault: &'a RefCell<Option<Fault>>,
}

impl<'a> Validator<'a> {
    fn below<'b>(self, step: Step<'b>) -> Node<'b>
    where
        'a: 'b,
    {
        Node { parent: Some(self.at), step, level: self.at.level + 1 }
    }

    fn refuse<E: serde::de::Error>(self, fault: Fault) -> E {
        self.fault.replace(Some(fault));
        E::custom("refused")
    }

    fn enter<E: serde::de::Error>(self) -> Result<(), E> {
        if self.at.level > DEPTH_LEVELS { Err(self.refuse(Fault::Deep(self.at.path()))) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Validator<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Validator<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut index = 0;
        while items.next_element_seed(Validator { at: &self.below(Step::Index(index)), fault: self.fault })?.is_some() {
            index += 1;
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        self.enter()?;
        let mut seen = BTreeSet::new();
        while let Some(key) = fields.next_key::<String>()? {
            let here = self.below(Step::Key(&key));
            if seen.contains(&key) {
                return Err(self.refuse(Fault::Duplicate(here.path())));
            }
            fields.next_value_seed(Validator { at: &here, fault: self.fault })?;
            seen.insert(key);
        }
        Ok(())
    }
}
