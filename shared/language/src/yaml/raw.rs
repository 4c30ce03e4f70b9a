//! The tree as the YAML library gives it: keys may be anything, and come as often as they are written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Number;
use serde_saphyr::options::MergeKeyPolicy;
use serde_saphyr::{DuplicateKeyPolicy, Options, Spanned};

use crate::diagnostic::Span;
use heal_engine::limit;

/// Levels of lists and objects in each other. A playbook has six; a parameters schema or metadata may have some more.
const DEPTH: usize = 32;
/// Keys, values and containers. A playbook of 1,000 steps has about 40,000.
const NODES: usize = 100_000;
/// Uses of an anchor, and anchors.
const ALIASES: usize = 1_000;
/// Values that all aliases together may stand for.
const ALIASED_NODES: usize = 50_000;

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
            max_total_scalar_bytes: limit::PLAYBOOK_BYTES * 2,
            max_documents: 2,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: ALIASED_NODES,
            max_replay_stack_depth: DEPTH,
        },
        // Both places of a duplicate key are worth a message of our own.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        // `<<` is YAML 1.1: it ends as an unknown key.
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
        // Where it is written, not where an alias uses it: that is the line to be mended.
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
