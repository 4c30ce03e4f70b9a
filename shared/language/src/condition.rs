//! Templates that have to render to a certain type: conditions, and the lists of `for_each`.

use std::sync::Arc;

use heal_engine::Map;
use heal_engine::catalog::OutputType;
use heal_engine::limit;
use heal_engine::playbook::Condition;
use heal_engine::template::{Scope, Template, brief};
use serde_json::Value;

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report};
use crate::template::token::{Token, TokenKind};
use crate::template::{self, Context};
use crate::template::{EvaluationPoint, KnownNames};
use crate::yaml::{Kind, Node};

/// A condition that can be a boolean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CheckedCondition {
    pub(crate) condition: Condition,
    /// Its value, if that is the same for every input.
    pub(crate) always: Option<bool>,
}

/// `None` and a finding if the value cannot be a boolean.
pub(crate) fn condition(
    cx: Context<'_>,
    field: &Field<'_>,
    point: EvaluationPoint,
    report: &mut Report,
) -> Option<CheckedCondition> {
    let node = field.node;
    match &node.kind {
        Kind::Boolean(value) => Some(CheckedCondition { condition: Condition::Fixed(*value), always: Some(*value) }),
        Kind::Text(text) => {
            let inferred = infer(cx, text, node.span, point, report)?;
            let always = match &inferred {
                Inferred::Constant(Value::Bool(value)) => Some(*value),
                Inferred::Expression(None | Some(OutputType::Boolean)) => None,
                Inferred::PlainText | Inferred::MixedText | Inferred::Constant(_) | Inferred::Expression(_) => {
                    report.add(not_boolean(field.key, text, node.span, &inferred));
                    return None;
                }
            };
            Some(CheckedCondition { condition: Condition::Expression(text.clone()), always })
        }
        Kind::Null | Kind::Number(_) | Kind::List(_) | Kind::Object(_) => {
            let message = format!("`{}` has to be a boolean, found {}", field.key, node.brief());
            report.add(Finding::error(code::NOT_BOOLEAN, node.span, message).help(EXAMPLE));
            None
        }
    }
}

const EXAMPLE: &str = "such as `true`, or a template that is one expression: \"{{ worker_unhealthy }}\"";

fn not_boolean(key: &str, text: &str, span: Span, inferred: &Inferred) -> Finding {
    let message = match inferred {
        Inferred::PlainText => format!("`{key}` is a text, not a boolean"),
        Inferred::MixedText => format!("`{key}` has text around its expression, which makes it a text, not a boolean"),
        Inferred::Constant(value) => format!("`{key}` is always {}, a boolean is needed", brief(value)),
        Inferred::Expression(kind) => {
            format!("`{key}` gives {}, a boolean is needed", kind.map_or("something else", words))
        }
    };
    let finding = Finding::error(code::NOT_BOOLEAN, span, message);
    match text.trim() {
        bare @ ("true" | "false") => finding.help(format!("write {bare} without quotes")),
        "" => finding.help(EXAMPLE),
        bare if matches!(inferred, Inferred::PlainText) => {
            finding.help(format!("write \"{{{{ {} }}}}\"", bare.replace('"', "'")))
        }
        _ => finding.help("compare it: \"{{ state == 'RUNNING' }}\", \"{{ count > 0 }}\""),
    }
}

/// Whether the list of a `for_each` is always empty; `None` and a finding if the value cannot be a list.
pub(crate) fn list(cx: Context<'_>, field: &Field<'_>, point: EvaluationPoint, report: &mut Report) -> Option<bool> {
    let node = field.node;
    match &node.kind {
        Kind::List(items) => {
            template::check_all(cx, node, point, report);
            too_large(node, items, report);
            Some(items.is_empty())
        }
        Kind::Text(text) => match infer(cx, text, node.span, point, report)? {
            Inferred::Constant(Value::Array(items)) => Some(items.is_empty()),
            Inferred::Expression(None | Some(OutputType::Array)) => Some(false),
            inferred
            @ (Inferred::PlainText | Inferred::MixedText | Inferred::Constant(_) | Inferred::Expression(_)) => {
                let found = match &inferred {
                    Inferred::PlainText | Inferred::MixedText => "a text".to_owned(),
                    Inferred::Constant(value) => brief(value),
                    Inferred::Expression(kind) => kind.map_or("something else", words).to_owned(),
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

/// The static type of a text: what is known before rendering.
#[derive(Debug)]
enum Inferred {
    /// No braces.
    PlainText,
    /// Text around expressions.
    MixedText,
    /// One expression without variables, evaluated.
    Constant(Value),
    /// One expression with variables, and its type if that is certain.
    Expression(Option<OutputType>),
}

/// `None` and a finding if the text is not a template, or fails for every input.
fn infer(cx: Context<'_>, text: &str, span: Span, point: EvaluationPoint, report: &mut Report) -> Option<Inferred> {
    let checked = template::check(cx, text, span, point, report)?;
    match &checked.template {
        Template::Text(_) => Some(Inferred::PlainText),
        Template::Mixed { .. } => Some(Inferred::MixedText),
        Template::Expression { .. } if checked.template.names().is_empty() => {
            match checked.template.render(&Scope::new(Arc::new(Map::new()))) {
                Ok(value) => Some(Inferred::Constant(value)),
                // An unknown filter or test is reported already.
                Err(_) if report.has_error_within(span) => None,
                Err(error) => {
                    report.add(Finding::error(code::TEMPLATE_FAILS, span, error.to_string()));
                    None
                }
            }
        }
        Template::Expression { .. } => Some(Inferred::Expression(type_of(&checked.tokens, cx.names, point))),
    }
}

/// The type of an expression, if its operators or its only variable determine it.
fn type_of(tokens: &[Token<'_>], names: &dyn KnownNames, point: EvaluationPoint) -> Option<OutputType> {
    let [first, rest @ ..] = tokens else { return None };
    let outer = outermost(tokens);
    let has =
        |what: TokenKind, words: &[&str]| outer.iter().any(|token| token.kind == what && words.contains(&token.text));
    if has(TokenKind::Keyword, &["and", "or", "if", "else"]) {
        // These return one of their operands.
        return None;
    }
    if has(TokenKind::Keyword, &["not", "in", "is"]) || has(TokenKind::Sign, &["==", "!=", "<", ">", "<=", ">="]) {
        return Some(OutputType::Boolean);
    }
    if has(TokenKind::Sign, &["~"]) {
        return Some(OutputType::String);
    }
    if has(TokenKind::Sign, &["-", "*", "/", "//", "%", "**"]) {
        return Some(OutputType::Number);
    }
    if has(TokenKind::Sign, &["+"]) {
        // Adds numbers, texts or lists.
        return None;
    }
    match tokens.iter().rposition(|token| token.kind == TokenKind::Filter && outer.contains(&token)) {
        Some(last) if ends_with_call(tokens.get(last + 1..).unwrap_or_default()) => {
            tokens.get(last).and_then(|filter| filter_kind(filter.text))
        }
        Some(_) => None,
        None if rest.is_empty() && first.kind == TokenKind::Path => names.type_of(first.text, point),
        None => None,
    }
}

/// Whether `tokens` are empty or one pair of parentheses.
fn ends_with_call(tokens: &[Token<'_>]) -> bool {
    match tokens {
        [] => true,
        [open, inside @ .., _] => {
            open.text == "(" && outermost(tokens).is_empty() && !inside.iter().any(|t| t.text == "[")
        }
        [_] => false,
    }
}

/// The tokens outside all brackets.
fn outermost<'a, 't>(tokens: &'a [Token<'t>]) -> Vec<&'a Token<'t>> {
    let mut depth = 0_usize;
    let mut outer = Vec::new();
    for token in tokens {
        match token.text {
            "(" | "[" | "{" if token.kind == TokenKind::Sign => depth += 1,
            ")" | "]" | "}" if token.kind == TokenKind::Sign => depth = depth.saturating_sub(1),
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
