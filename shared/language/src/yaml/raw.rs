//! The tree as the YAML library reads it: keys of any type, duplicates included.

use std::fmt;

use heal_engine::limit;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

use crate::diagnostic::Span;

/// Levels of nested lists and objects. A playbook needs six; a parameters schema or metadata may need a few more.
pub(super) const DEPTH: usize = 32;
/// Keys, values and containers. A playbook of 1,000 steps has about 40,000.
pub(super) const NODES: usize = 100_000;
/// Anchors, and aliases.
pub(super) const ALIASES: usize = 1_000;
/// Values that all aliases together may expand to.
pub(super) const ALIASED_NODES: usize = 50_000;
/// Bytes of all keys and values, aliased ones included.
pub(super) const SCALAR_BYTES: usize = limit::PLAYBOOK_BYTES * 2;

pub(super) struct Node {
    pub(super) span: Span,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    Null,
    Boolean(bool),
    Integer(Number),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(Node, Node)>),
}

pub(super) fn parse(text: &str) -> Result<Node, serde_saphyr::Error> {
    serde_saphyr::from_str_with_options(text, options())
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_depth: DEPTH,
            flow_nesting_limit: DEPTH,
            max_nodes: NODES,
            max_events: NODES * 2,
            max_aliases: ALIASES,
            max_anchors: ALIASES,
            max_recorded_anchor_events: ALIASED_NODES * 2,
            max_recorded_anchor_bytes: limit::PLAYBOOK_BYTES,
            max_total_scalar_bytes: SCALAR_BYTES,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_NODES,
            max_replay_stack_depth: DEPTH,
        },
        // `Cleaner` reports duplicate keys, with both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `<<` is YAML 1.1; here it is an unknown key.
        merge_keys: MergeKeyPolicy::AsOrdinary,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        with_snippet: false,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::<Kind>::deserialize(deserializer)?;
        // The span of the anchored value, not of the alias: that is the line to fix.
        let index = |bytes: Option<u64>| bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or_default();
        let start = index(defined.span().byte_offset());
        Ok(Self { span: Span::new(start, start + index(defined.span().byte_len())), kind: value })
    }
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KindVisitor)
    }
}

struct KindVisitor;

impl<'de> Visitor<'de> for KindVisitor {
    type Value = Kind;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_unit<E>(self) -> Result<Kind, E> {
        Ok(Kind::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Kind, E> {
        Ok(Kind::Boolean(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Kind, E> {
        Ok(Kind::Integer(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Kind, E> {
        Ok(Kind::Float(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Kind, E> {
        Ok(Kind::Text(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Kind, E> {
        Ok(Kind::Text(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Kind, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Kind::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Kind, A::Error> {
        let mut object = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            object.push(entry);
        }
        Ok(Kind::Object(object))
    }
}
