//! YAML text as a tree in which every key and every value knows its place.
//!
//! YAML 1.2: `no` and `yes` are texts, and so are `007` and `1_000`. One document, no tags of one's own, no merge keys.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use heal_engine::limit;

mod fault;
mod raw;

/// A value and its place. The place of a list or object reaches from its first key to the end of its last value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    pub(crate) span: Span,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Null,
    Boolean(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    /// No key twice.
    Object(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    pub(crate) key: String,
    pub(crate) key_span: Span,
    pub(crate) value: Node,
}

/// Reads one document. What can be mended is reported and mended; none where nothing can be read.
pub(crate) fn parse(text: &str, report: &mut Report) -> Option<Node> {
    if text.len() > limit::PLAYBOOK_BYTES {
        let message = format!("the file has {} bytes, the limit is {} bytes", text.len(), limit::PLAYBOOK_BYTES);
        report.add(Finding::error(code::TOO_LARGE, Span::default(), message));
        return None;
    }
    match raw::parse(text) {
        Ok(raw) => {
            let newlines = text.match_indices('\n').map(|(index, _)| index).collect();
            Some(Cleaner { text, newlines, report }.clean(raw))
        }
        Err(error) => {
            report.add(fault::describe(text, &error));
            None
        }
    }
}

impl Node {
    pub(crate) fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Null => Value::Null,
            Kind::Boolean(value) => Value::Bool(*value),
            Kind::Number(number) => Value::Number(number.clone()),
            Kind::Text(text) => Value::String(text.clone()),
            Kind::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Kind::Object(entries) => Value::Object(entries_to_json(entries)),
        }
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        match &self.kind {
            Kind::Object(entries) => entries,
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => &[],
        }
    }

    /// The entry or element that one segment of a JSON pointer leads to.
    pub(crate) fn child(&self, segment: &str) -> Option<&Self> {
        match &self.kind {
            Kind::Object(entries) => entries.iter().find(|entry| entry.key == segment).map(|entry| &entry.value),
            Kind::List(items) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
            Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => None,
        }
    }

    /// The value in a few words, for a message.
    pub(crate) fn brief(&self) -> String {
        match &self.kind {
            Kind::Null => "nothing".to_owned(),
            Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) => heal_engine::template::brief(&self.to_json()),
            Kind::List(items) => format!("a list of {}", items.len()),
            Kind::Object(_) => "an object".to_owned(),
        }
    }
}

pub(crate) fn entries_to_json(entries: &[Entry]) -> Map<String, Value> {
    entries.iter().map(|entry| (entry.key.clone(), entry.value.to_json())).collect()
}

/// Turns what the library read into what a model can be made of.
struct Cleaner<'a> {
    text: &'a str,
    newlines: Vec<usize>,
    report: &'a mut Report,
}

impl Cleaner<'_> {
    fn clean(&mut self, raw: raw::Node) -> Node {
        let span = raw.span;
        match raw.kind {
            raw::Kind::Null => Node { span, kind: Kind::Null },
            raw::Kind::Boolean(value) => Node { span, kind: Kind::Boolean(value) },
            raw::Kind::Text(value) => Node { span, kind: Kind::Text(value) },
            raw::Kind::Integer(number) => Node { span, kind: Kind::Number(number) },
            raw::Kind::Float(value) => Node { span, kind: self.float(span, value) },
            raw::Kind::List(items) => {
                let items: Vec<_> = items.into_iter().map(|item| self.clean(item)).collect();
                let end = items.last().map_or(span, |item| item.span);
                Node { span: span.to(end), kind: Kind::List(items) }
            }
            raw::Kind::Object(entries) => match self.unquoted_template(span, &entries) {
                Some((span, template)) => {
                    let message = "a template needs quotes, without them it is a YAML object";
                    let help = format!("write \"{}\"", quoted(&template).replace('"', "'"));
                    self.report.add(Finding::error(code::UNQUOTED_TEMPLATE, span, message).help(help));
                    Node { span, kind: Kind::Text(template) }
                }
                None => self.object(span, entries),
            },
        }
    }

    fn object(&mut self, span: Span, raw: Vec<(raw::Node, raw::Node)>) -> Node {
        let mut entries: Vec<Entry> = Vec::with_capacity(raw.len());
        let mut places: HashMap<String, Span> = HashMap::with_capacity(raw.len());
        for (key, value) in raw {
            let key_span = key.span;
            let mut value = self.clean(value);
            // `key:` alone: the place of nothing is that of its key.
            if value.span.is_empty() {
                value.span = key_span;
            }
            let raw::Kind::Text(name) = key.kind else {
                self.report
                    .add(Finding::error(code::KEY_TYPE, key_span, "a key has to be a text").help("put it in quotes"));
                continue;
            };
            if let Some(first) = places.get(&name) {
                let line = self.newlines.partition_point(|newline| *newline < first.start) + 1;
                let message = format!("key `{}` is given twice, the first time in line {line}", quoted(&name));
                self.report.add(Finding::error(code::DUPLICATE_KEY, key_span, message));
                continue;
            }
            places.insert(name.clone(), key_span);
            entries.push(Entry { key: name, key_span, value });
        }
        let end = entries.last().map_or(span, |entry| entry.value.span);
        Node { span: span.to(end), kind: Kind::Object(entries) }
    }

    /// `{{ name }}` without quotes reads as an object whose one key is an object.
    fn unquoted_template(&self, span: Span, entries: &[(raw::Node, raw::Node)]) -> Option<(Span, String)> {
        let [(key, _)] = entries else { return None };
        if !matches!(key.kind, raw::Kind::Object(_)) {
            return None;
        }
        let rest = self.text.get(span.start..).filter(|rest| rest.starts_with("{{"))?;
        let length = rest.find("}}")? + 2;
        Some((Span::new(span.start, span.start + length), rest.get(..length)?.to_owned()))
    }

    /// An integer of more than 64 bits would silently lose its last digits as a float.
    fn float(&mut self, span: Span, value: f64) -> Kind {
        let source = self.text.get(span.range()).unwrap_or_default();
        let digits = source.trim_start_matches(['+', '-']);
        if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            let message = format!("the number {} has more than 64 bits", quoted(source));
            self.report.add(Finding::error(code::NUMBER_RANGE, span, message).help("put it in quotes if it is a name"));
        }
        Number::from_f64(value).map_or(Kind::Null, Kind::Number)
    }
}
