//! What has to have a certain type once it is rendered: conditions, and the lists of `for_each`.

use std::sync::Arc;

use serde_json::Value;

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report};
use crate::template::token::{Token, What};
use crate::template::{self, Context};
use crate::template::{Names, Place};
use crate::yaml::{Kind, Node};
use heal_engine::Map;
use heal_engine::catalog::OutputType;
use heal_engine::limit;
use heal_engine::playbook::Condition;
use heal_engine::template::{Scope, Template, brief};

/// A condition that may be a boolean, and its value where it is always the same.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Decided {
    pub(crate) condition: Condition,
    pub(crate) always: Option<bool>,
}

/// None, and a finding, where it cannot be a boolean.
pub(crate) fn condition(cx: Context<'_>, field: &Field<'_>, place: Place, report: &mut Report) -> Option<Decided> {
    let node = field.node;
    match &node.kind {
        Kind::Boolean(value) => Some(Decided { condition: Condition::Fixed(*value), always: Some(*value) }),
        Kind::Text(text) => {
            let observed = observe(cx, text, node.span, place, report)?;
            let always = match &observed {
                Observed::Fixed(Value::Bool(value)) => Some(*value),
                Observed::Open(None | Some(OutputType::Boolean)) => None,
                Observed::Text | Observed::Mixed | Observed::Fixed(_) | Observed::Open(_) => {
                    report.add(not_boolean(field.key, text, node.span, &observed));
                    return None;
                }
            };
            Some(Decided { condition: Condition::Expression(text.clone()), always })
        }
        Kind::Null | Kind::Number(_) | Kind::List(_) | Kind::Object(_) => {
            let message = format!("`{}` has to be a boolean, found {}", field.key, node.brief());
            report.add(Finding::error(code::NOT_BOOLEAN, node.span, message).help(EXAMPLE));
            None
        }
    }
}

const EXAMPLE: &str = "such as `true`, or a template that is one expression: \"{{ worker_unhealthy }}\"";

fn not_boolean(key: &str, text: &str, span: Span, observed: &Observed) -> Finding {
    let message = match observed {
        Observed::Text => format!("`{key}` is a text, which is no boolean"),
        Observed::Mixed => format!("`{key}` has text around its expression, so that it is a text and no boolean"),
        Observed::Fixed(value) => format!("`{key}` is always {}, a boolean is needed", brief(value)),
        Observed::Open(kind) => format!("`{key}` gives {}, a boolean is needed", kind.map_or("something else", words)),
    };
    let finding = Finding::error(code::NOT_BOOLEAN, span, message);
    match text.trim() {
        bare @ ("true" | "false") => finding.help(format!("write {bare} without quotes")),
        "" => finding.help(EXAMPLE),
        bare if matches!(observed, Observed::Text) => {
            finding.help(format!("write \"{{{{ {} }}}}\"", bare.replace('"', "'")))
        }
        _ => finding.help("compare it: \"{{ state == 'RUNNING' }}\", \"{{ count > 0 }}\""),
    }
}

/// None, and a finding, where it cannot be a list. Whether it is always empty.
pub(crate) fn list(cx: Context<'_>, field: &Field<'_>, place: Place, report: &mut Report) -> Option<bool> {
    let node = field.node;
    match &node.kind {
        Kind::List(items) => {
            template::check_all(cx, node, place, report);
            too_large(node, items, report);
            Some(items.is_empty())
        }
        Kind::Text(text) => match observe(cx, text, node.span, place, report)? {
            Observed::Fixed(Value::Array(items)) => Some(items.is_empty()),
            Observed::Open(None | Some(OutputType::Array)) => Some(false),
            observed @ (Observed::Text | Observed::Mixed | Observed::Fixed(_) | Observed::Open(_)) => {
                let found = match &observed {
                    Observed::Text | Observed::Mixed => "a text".to_owned(),
                    Observed::Fixed(value) => brief(value),
                    Observed::Open(kind) => kind.map_or("something else", words).to_owned(),
                };
                report.add(not_list(node.span, &found));
                None
            }
        },
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Object(_) => {
            report.add(not_list(node.span, &node.brief()));
            None
        }
    }
}

fn not_list(span: Span, found: &str) -> Finding {
    let finding = Finding::error(code::NOT_A_LIST, span, format!("`for_each` has to be a list, found {found}"));
    finding.help("such as \"{{ affected_tickets }}\", or [a, b]")
}

fn too_large(node: &Node, items: &[Node], report: &mut Report) {
    if items.len() > limit::FAN_OUT_ITEMS {
        let message = format!("`for_each` has {} elements, the limit is {}", items.len(), limit::FAN_OUT_ITEMS);
        report.add(Finding::error(code::BUDGET_EXCEEDED, node.span, message));
    }
    let bytes: usize = items.iter().map(|item| item.to_json().to_string().len() + 1).sum();
    if bytes > limit::FAN_OUT_BYTES {
        let message =
            format!("the elements of `for_each` have {bytes} bytes, the limit is {} bytes", limit::FAN_OUT_BYTES);
        report.add(Finding::error(code::BUDGET_EXCEEDED, node.span, message));
    }
}

/// What a text is known to give before anything is rendered.
#[derive(Debug)]
enum Observed {
    /// No braces.
    Text,
    /// Text around expressions.
    Mixed,
    /// One expression without variables.
    Fixed(Value),
    /// One expression with variables; its type, where that is sure.
    Open(Option<OutputType>),
}

/// None where the text is no template, or fails whatever the variables are.
fn observe(cx: Context<'_>, text: &str, span: Span, place: Place, report: &mut Report) -> Option<Observed> {
    let checked = template::check(cx, text, span, place, report)?;
    match &checked.template {
        Template::Text(_) => Some(Observed::Text),
        Template::Mixed { .. } => Some(Observed::Mixed),
        Template::Expression { .. } if checked.template.names().is_empty() => {
            match checked.template.render(&Scope::new(Arc::new(Map::new()))) {
                Ok(value) => Some(Observed::Fixed(value)),
                // An unknown filter or test has been reported by its name.
                Err(_) if report.has_error_within(span) => None,
                Err(error) => {
                    report.add(Finding::error(code::TEMPLATE_FAILS, span, error.to_string()));
                    None
                }
            }
        }
        Template::Expression { .. } => Some(Observed::Open(kind(&checked.tokens, cx.names, place))),
    }
}

/// The type of an expression, where its shape or its one variable fixes it.
fn kind(tokens: &[Token<'_>], names: &dyn Names, place: Place) -> Option<OutputType> {
    let [first, rest @ ..] = tokens else { return None };
    let outer = outermost(tokens);
    let has = |what: What, words: &[&str]| outer.iter().any(|token| token.what == what && words.contains(&token.text));
    if has(What::Keyword, &["and", "or", "if", "else"]) {
        // They give one of their operands.
        return None;
    }
    if has(What::Keyword, &["not", "in", "is"]) || has(What::Sign, &["==", "!=", "<", ">", "<=", ">="]) {
        return Some(OutputType::Boolean);
    }
    if has(What::Sign, &["~"]) {
        return Some(OutputType::String);
    }
    if has(What::Sign, &["-", "*", "/", "//", "%", "**"]) {
        return Some(OutputType::Number);
    }
    if has(What::Sign, &["+"]) {
        // Of numbers, texts or lists.
        return None;
    }
    match tokens.iter().rposition(|token| token.what == What::Filter && outer.contains(&token)) {
        Some(last) if ends_with_call(tokens.get(last + 1..).unwrap_or_default()) => {
            tokens.get(last).and_then(|filter| filter_kind(filter.text))
        }
        Some(_) => None,
        None if rest.is_empty() && first.what == What::Path => names.kind(first.text, place),
        None => None,
    }
}

/// Whether nothing or one pair of parentheses is left.
fn ends_with_call(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [] => true,
        [open, inside @ .., _] => {
            open.text == "(" && outermost(tokens).is_empty() && !inside.iter().any(|t| t.text == "[")
        }
        [_] => false,
    }
}

/// The tokens that are in no bracket.
fn outermost<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a Token<'t>> {
    let mut depth = 0_usize;
    let mut outer = Vec::new();
    for token in tokens {
        match token.text {
            "(" | "[" | "{" if token.what == What::Sign => depth += 1,
            ")" | "]" | "}" if token.what == What::Sign => depth = depth.saturating_sub(1),
            _ if depth == 0 => outer.push(token),
            _ => {}
        }
    }
    outer
}

fn filter_kind(filter: &str) -> Option<OutputType> {
    match filter {
        "length" | "count" | "int" => Some(OutputType::Integer),
        "float" | "round" => Some(OutputType::Number),
        "upper" | "lower" | "title" | "capitalize" | "trim" | "string" | "join" | "tojson" | "replace" | "indent" => {
            Some(OutputType::String)
        }
        "list" | "sort" | "unique" | "split" | "lines" | "map" | "select" | "reject" | "selectattr" | "rejectattr"
        | "batch" | "slice" | "items" | "dictsort" => Some(OutputType::Array),
        "bool" => Some(OutputType::Boolean),
        _ => None,
    }
}

const fn words(kind: OutputType) -> &'static str {
    match kind {
        OutputType::Boolean => "a boolean",
        OutputType::Integer => "an integer",
        OutputType::Number => "a number",
        OutputType::String => "a text",
        OutputType::Array => "a list",
        OutputType::Object => "an object",
        OutputType::Any => "something else",
    }
}
