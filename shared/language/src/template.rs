//! Checks templates: syntax, filters, tests, functions, and variable names.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::ops::Range;

use heal_engine::catalog::OutputType;
use heal_engine::suggest;
use heal_engine::template::{self, Template, TemplateError, is_template};

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};
use token::{Token, TokenKind, scan};

pub(crate) mod token;

/// Filters to suggest. Whether a filter exists is up to the template engine.
const FILTERS: &str = "abs bool capitalize count default first float int items join last length list lower map max min \
                       replace round sort string tojson trim upper";
const TESTS: &str = "boolean defined even false in integer iterable lower mapping none number odd sequence string true \
                     undefined upper";
const FUNCTION_NAMES: &str = "range";

/// The functions that templates have.
pub(crate) const FUNCTIONS: [&str; 1] = ["range"];

/// The variables of a kind of file: which names its templates can use, and where.
pub(crate) trait KnownNames: Debug {
    /// The fault of a name at `span`, if it has one. `guarded`: the template handles the absence of the variable.
    fn check(&self, path: &str, span: Span, point: EvaluationPoint, guarded: bool) -> Option<Finding>;

    /// The JSON type of a variable, if it is certain.
    fn type_of(&self, path: &str, point: EvaluationPoint) -> Option<OutputType>;
}

/// When a template is rendered, which decides the variables that it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EvaluationPoint {
    /// Before the run exists: a trigger's condition, the concurrency key.
    BeforeRun,
    /// In the step at `index`.
    Step {
        index: usize,
        /// Whether it is rendered once per element of a `for_each`.
        in_for_each: bool,
        /// Whether the step's own outputs exist: true in `until`.
        has_own_outputs: bool,
    },
}

/// What checking one template needs: the text of the file, for spans, and the known variables.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) source: &'a str,
    pub(crate) names: &'a dyn KnownNames,
}

/// A template that compiles.
#[derive(Debug)]
pub(crate) struct CheckedTemplate<'t> {
    pub(crate) template: Template,
    pub(crate) tokens: Vec<Token<'t>>,
}

/// Checks one text; `None` and a finding if it is not a valid template.
pub(crate) fn check<'t>(
    cx: Context<'_>,
    text: &'t str,
    span: Span,
    point: EvaluationPoint,
    report: &mut Report,
) -> Option<CheckedTemplate<'t>> {
    let template = match Template::compile(text) {
        Ok(template) => template,
        Err(error) => {
            report.add(unreadable(cx, text, span, &error));
            return None;
        }
    };
    let tokens = scan(text);
    if matches!(template, Template::Text(_)) {
        return Some(CheckedTemplate { template, tokens });
    }
    check_calls(cx, text, span, &tokens, report);
    let names = template.names();
    let uses = uses(&tokens);
    let functions = tokens.iter().filter(|token| token.kind == TokenKind::Function);
    let called: HashSet<&str> = functions.map(|token| token.text).collect();
    let place = Place::new(cx.source, span, text);
    for name in names.iter().filter(|name| !called.contains(name.as_str())) {
        let (at, guarded) = match uses.get(name.as_str()) {
            Some(found) => (place.of(&found.range), found.guarded),
            None => (span, false),
        };
        if let Some(finding) = cx.names.check(name, at, point, guarded) {
            report.add(finding);
        }
    }
    Some(CheckedTemplate { template, tokens })
}

/// Checks every text inside a value.
pub(crate) fn check_all(cx: Context<'_>, node: &Node, point: EvaluationPoint, report: &mut Report) {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) => {}
        Kind::Text(text) => {
            check(cx, text, node.span, point, report);
        }
        Kind::List(items) => items.iter().for_each(|item| check_all(cx, item, point, report)),
        Kind::Object(entries) => entries.iter().for_each(|entry| check_all(cx, &entry.value, point, report)),
    }
}

/// Whether a value contains a template.
pub(crate) fn has_template(node: &Node) -> bool {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) => false,
        Kind::Text(text) => is_template(text),
        Kind::List(items) => items.iter().any(has_template),
        Kind::Object(entries) => entries.iter().any(|entry| has_template(&entry.value)),
    }
}

fn unreadable(cx: Context<'_>, text: &str, span: Span, error: &TemplateError) -> Finding {
    let (detail, range) = match error {
        TemplateError::TooLong { .. } => return Finding::error(code::BUDGET_EXCEEDED, span, error.to_string()),
        TemplateError::Syntax { detail, range, .. } => (detail.clone(), range.as_ref()),
        TemplateError::Undefined { .. }
        | TemplateError::Failed { .. }
        | TemplateError::OutOfFuel { .. }
        | TemplateError::NotBoolean { .. }
        | TemplateError::NotList { .. }
        | TemplateError::NotJson { .. } => (error.to_string(), None),
    };
    let place = range.map_or(span, |range| Place::new(cx.source, span, text).of(range));
    Finding::error(code::TEMPLATE_SYNTAX, place, format!("not a template: {}", quoted(&detail)))
}

/// Reports filters, tests and functions that do not exist; the template engine would only fail when rendering them.
fn check_calls(cx: Context<'_>, text: &str, span: Span, tokens: &[Token<'_>], report: &mut Report) {
    let place = Place::new(cx.source, span, text);
    for token in tokens {
        let (code, kind, known) = match token.kind {
            TokenKind::Filter if !template::has_filter(token.text) => (code::UNKNOWN_FILTER, "filter", FILTERS),
            TokenKind::Test if !template::has_test(token.text) => (code::UNKNOWN_FILTER, "test", TESTS),
            TokenKind::Function if !FUNCTIONS.contains(&token.text) => {
                (code::UNKNOWN_FUNCTION, "function", FUNCTION_NAMES)
            }
            TokenKind::Filter
            | TokenKind::Test
            | TokenKind::Function
            | TokenKind::Path
            | TokenKind::Keyword
            | TokenKind::Literal
            | TokenKind::Other
            | TokenKind::Sign => continue,
        };
        let finding = Finding::error(code, place.of(&token.range), format!("unknown {kind} `{}`", quoted(token.text)));
        report.add(finding.suggest(suggest::closest(token.text, known.split(' '))));
    }
}

/// One use of a name, and whether the template handles its absence there.
struct Use {
    range: Range<usize>,
    guarded: bool,
}

/// For each name the use to report: the first unguarded one, else the first one.
fn uses<'t>(tokens: &[Token<'t>]) -> BTreeMap<&'t str, Use> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
    let mut asked = HashSet::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == TokenKind::Path) {
        let test = if text(index + 2) == "not" { text(index + 3) } else { text(index + 2) };
        if text(index + 1) == "is" && matches!(test, "defined" | "undefined") {
            asked.insert(token.text);
        }
        let guarded = text(index + 1) == "|" && matches!(text(index + 2), "default" | "d");
        let this = Use { range: token.range.clone(), guarded };
        match uses.get_mut(token.text) {
            None => drop(uses.insert(token.text, this)),
            Some(earlier) if earlier.guarded && !guarded => *earlier = this,
            Some(_) => {}
        }
    }
    // A template that tests a name with `is defined` handles its absence.
    for name in asked {
        if let Some(found) = uses.get_mut(name) {
            found.guarded = true;
        }
    }
    uses
}

/// Texts that the file writes differently, with escapes or folded lines, are searched for their parts up to this length. Each part of a text is
/// searched from its beginning, so a long one would take minutes; its faults are shown at the whole text.
const SEARCHED_BYTES: usize = 1_024;

/// A text and where the file has it.
#[derive(Debug)]
struct Place<'a> {
    raw: &'a str,
    text: &'a str,
    span: Span,
    /// Where the text begins in `raw`, if the file has it as it is.
    start: Option<usize>,
}

impl<'a> Place<'a> {
    fn new(source: &'a str, span: Span, text: &'a str) -> Self {
        let raw = source.get(span.range()).unwrap_or_default();
        Self { raw, text, span, start: raw.find(text) }
    }

    /// The span in the file of a part of the text. Quotes, escapes and folded lines make the file differ from the text.
    fn of(&self, range: &Range<usize>) -> Span {
        let Self { raw, text, span, start } = self;
        // The template engine may report a byte in the middle of a character.
        let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
        let found = start.map(|start| start + range.start).or_else(|| {
            let part = text.get(range.clone()).filter(|part| !part.is_empty() && text.len() <= SEARCHED_BYTES)?;
            let earlier = text.get(..range.start).unwrap_or_default().matches(part).count();
            raw.match_indices(part).nth(earlier).map(|(start, _)| start)
        });
        found.map_or(*span, |start| Span::new(span.start + start, span.start + start + range.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_of_a_part_is_found_also_where_the_file_writes_the_text_differently() {
        let (source, text) = (r#"a: "{{ x }}\n{{ y }}""#, "{{ x }}\n{{ y }}");
        let span = Span::new(3, source.len());
        let at = Place::new(source, span, text).of(&(11..12));
        assert_eq!(source.get(at.range()), Some("y"));
        // Of a long one the whole text is shown.
        let long = format!("{text}{}", " ".repeat(SEARCHED_BYTES));
        assert_eq!(Place::new(source, span, &long).of(&(11..12)), span);
    }
}
