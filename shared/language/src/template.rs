//! Templates: whether they are ones, and whether the names in them mean something.

use std::collections::{BTreeMap, HashSet};
use std::fmt::Debug;
use std::ops::Range;

use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};
use heal_engine::catalog::OutputType;
use heal_engine::suggest;
use heal_engine::template::{self, Template, TemplateError, is_template};
use token::{Token, What, scan};

pub(crate) mod token;

/// Filters that are worth a suggestion. What exists is asked of the template engine.
const FILTERS: &str = "abs bool capitalize count default first float int items join last length list lower map max min \
                       replace round sort string tojson trim upper";
const TESTS: &str = "boolean defined even false in integer iterable lower mapping none number odd sequence string true \
                     undefined upper";
const FUNCTION_NAMES: &str = "range";

/// Names that templates know by themselves, as functions.
pub(crate) const FUNCTIONS: [&str; 1] = ["range"];

/// What the names in a template can mean.
pub(crate) trait Names: Debug {
    /// What is wrong with a name at `span`, if something is. `guarded` names may be missing: the template says what then.
    fn judge(&self, path: &str, span: Span, place: Place, guarded: bool) -> Option<Finding>;

    /// The JSON type of a name, where it is sure.
    fn kind(&self, path: &str, place: Place) -> Option<OutputType>;
}

/// Where a template stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Before a run exists: a trigger's condition, the concurrency key.
    BeforeRun,
    Step {
        index: usize,
        /// Whether it is rendered for one element of `for_each`.
        per_item: bool,
        /// Whether the step's own outputs are there: in `until`.
        after_itself: bool,
    },
}

/// The file's text and the meaning of its names: all that it takes to judge one template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) source: &'a str,
    pub(crate) names: &'a dyn Names,
}

/// A template that can be compiled.
#[derive(Debug)]
pub(crate) struct Checked<'t> {
    pub(crate) template: Template,
    pub(crate) tokens: Vec<Token<'t>>,
}

/// Judges one text; none where it is no template.
pub(crate) fn check<'t>(
    cx: Context<'_>,
    text: &'t str,
    span: Span,
    place: Place,
    report: &mut Report,
) -> Option<Checked<'t>> {
    let template = match Template::compile(text) {
        Ok(template) => template,
        Err(error) => {
            report.add(unreadable(cx, text, span, &error));
            return None;
        }
    };
    let tokens = scan(text);
    if matches!(template, Template::Text(_)) {
        return Some(Checked { template, tokens });
    }
    words(cx, text, span, &tokens, report);
    let names = template.names();
    let uses = uses(&tokens);
    let is_called = |name: &str| tokens.iter().any(|token| token.what == What::Function && token.text == name);
    for name in names.iter().filter(|name| !is_called(name)) {
        let (at, guarded) = match uses.get(name.as_str()) {
            Some(found) => (locate(cx.source, span, text, &found.range), found.guarded),
            None => (span, false),
        };
        if let Some(finding) = cx.names.judge(name, at, place, guarded) {
            report.add(finding);
        }
    }
    Some(Checked { template, tokens })
}

/// Judges every text of a value.
pub(crate) fn check_all(cx: Context<'_>, node: &Node, place: Place, report: &mut Report) {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) => {}
        Kind::Text(text) => {
            check(cx, text, node.span, place, report);
        }
        Kind::List(items) => items.iter().for_each(|item| check_all(cx, item, place, report)),
        Kind::Object(entries) => entries.iter().for_each(|entry| check_all(cx, &entry.value, place, report)),
    }
}

/// Whether a value has a template anywhere in it.
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
    let place = range.map_or(span, |range| locate(cx.source, span, text, range));
    Finding::error(code::TEMPLATE_SYNTAX, place, format!("not a template: {}", quoted(&detail)))
}

/// Filters, tests and functions that do not exist: they would fail when they are rendered, at the worst moment.
fn words(cx: Context<'_>, text: &str, span: Span, tokens: &[Token<'_>], report: &mut Report) {
    for token in tokens {
        let (code, kind, known) = match token.what {
            What::Filter if !template::has_filter(token.text) => (code::UNKNOWN_FILTER, "filter", FILTERS),
            What::Test if !template::has_test(token.text) => (code::UNKNOWN_FILTER, "test", TESTS),
            What::Function if !FUNCTIONS.contains(&token.text) => (code::UNKNOWN_FUNCTION, "function", FUNCTION_NAMES),
            What::Filter
            | What::Test
            | What::Function
            | What::Path
            | What::Keyword
            | What::Literal
            | What::Other
            | What::Sign => continue,
        };
        let place = locate(cx.source, span, text, &token.range);
        let finding = Finding::error(code, place, format!("unknown {kind} `{}`", quoted(token.text)));
        report.add(finding.suggest(suggest::closest(token.text, known.split(' '))));
    }
}

/// Where a name is used, and whether the template says what it does without it.
struct Use {
    range: Range<usize>,
    guarded: bool,
}

/// For each name the use that is to be judged: the first one that nothing guards, or else the first one.
fn uses<'t>(tokens: &[Token<'t>]) -> BTreeMap<&'t str, Use> {
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let mut uses: BTreeMap<&str, Use> = BTreeMap::new();
    let mut asked = HashSet::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.what == What::Path) {
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
    // Whoever asks whether a name is there has thought of both answers.
    for name in asked {
        if let Some(found) = uses.get_mut(name) {
            found.guarded = true;
        }
    }
    uses
}

/// Where a part of a text stands in the file: quotes, escapes and folded lines lie between the two.
fn locate(source: &str, span: Span, text: &str, range: &Range<usize>) -> Span {
    // The template engine may point into the middle of a character.
    let range = text.floor_char_boundary(range.start)..text.ceil_char_boundary(range.end);
    let raw = source.get(span.range()).unwrap_or_default();
    let found = raw.find(text).map(|start| start + range.start).or_else(|| {
        let part = text.get(range.clone()).filter(|part| !part.is_empty())?;
        let earlier = text.get(..range.start).unwrap_or_default().matches(part).count();
        raw.match_indices(part).nth(earlier).map(|(start, _)| start)
    });
    found.map_or(span, |start| Span::new(span.start + start, span.start + start + range.len()))
}
