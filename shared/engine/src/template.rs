//! Templates: strict, without I/O, bounded in fuel and size. Only playbook text is ever compiled, never a payload.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::LazyLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use crate::limit;

mod convert;
mod scope;

pub use scope::{Lookup, Scope};

/// One environment for all playbooks: it holds settings, filters and tests, and no template.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limit::TEMPLATE_FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // It would print every variable, secrets included.
    environment.remove_global("debug");
    // They would stand in for variables of these names that an incident does not bring.
    environment.remove_global("dict");
    environment.remove_global("namespace");
    environment
});

/// Why a template could not be compiled or rendered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    #[error("template has {observed_bytes} bytes, the limit is {} bytes", limit::TEMPLATE_BYTES)]
    TooLong { observed_bytes: usize },
    #[error("template cannot be read: {detail}")]
    Syntax {
        detail: String,
        line: usize,
        /// Bytes of the source that the fault is about, as far as the template engine knows; not always on character boundaries.
        range: Option<Range<usize>>,
    },
    #[error("variable `{name}` is not defined")]
    Undefined { name: String },
    #[error("template `{template}` failed: {detail}")]
    Failed { template: String, detail: String },
    #[error("template `{template}` used up its budget of {} fuel units", limit::TEMPLATE_FUEL)]
    OutOfFuel { template: String },
    #[error("condition `{template}` gave {observed}, a boolean is needed")]
    NotBoolean { template: String, observed: String },
    #[error("`{template}` gave {observed}, a list is needed")]
    NotList { template: String, observed: String },
    #[error("`{template}` gives a value that JSON cannot carry: {detail}")]
    NotJson { template: String, detail: String },
}

/// A compiled text.
#[derive(Debug)]
pub enum Template {
    /// No braces: the text itself.
    Text(String),
    /// One expression; its value keeps its type.
    Expression { source: String, compiled: minijinja::Expression<'static, 'static> },
    /// Text with expressions in it; its value is a string. Compiled when rendered: the engine's cache does not grow with playbooks.
    Mixed { source: String, names: BTreeSet<String> },
}

impl Template {
    /// # Errors
    /// Too long, or not a template.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > limit::TEMPLATE_BYTES {
            return Err(TemplateError::TooLong { observed_bytes: source.len() });
        }
        if !is_template(source) {
            return Ok(Self::Text(source.to_owned()));
        }
        if let Some(inner) = sole_expression(source) {
            match ENVIRONMENT.compile_expression_owned(inner.to_owned()) {
                Ok(compiled) => {
                    return Ok(Self::Expression { source: source.to_owned(), compiled });
                }
                // `{{ a }}-{{ b }}` also starts and ends with braces.
                // The template's own error, since its place counts from the start of the source.
                Err(error) if !inner.contains("}}") => {
                    let own = ENVIRONMENT.template_from_str(source).err();
                    return Err(syntax(&own.unwrap_or(error)));
                }
                Err(_) => {}
            }
        }
        let template = ENVIRONMENT.template_from_str(source).map_err(|error| syntax(&error))?;
        let names = template.undeclared_variables(true).into_iter().collect();
        Ok(Self::Mixed { source: source.to_owned(), names })
    }

    pub fn source(&self) -> &str {
        match self {
            Self::Text(source) | Self::Expression { source, .. } | Self::Mixed { source, .. } => source,
        }
    }

    /// Names from outside that the template reads, with their attributes as far as they are fixed: `ticket_id`, `steps.check.healthy`.
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Text(_) => BTreeSet::new(),
            Self::Expression { compiled, .. } => compiled.undeclared_variables(true).into_iter().collect(),
            Self::Mixed { names, .. } => names.clone(),
        }
    }

    /// # Errors
    /// An undefined name, an operation that its values do not have, or no fuel left.
    pub fn render(&self, scope: &Scope) -> Result<Value, TemplateError> {
        match self {
            Self::Text(text) => Ok(Value::String(text.clone())),
            Self::Expression { source, compiled } => {
                let value = compiled.eval(scope.to_value()).map_err(|error| self.failed(&error, scope))?;
                if value.is_undefined() {
                    return Err(self.undefined(scope));
                }
                convert::to_json(&value).map_err(|detail| TemplateError::NotJson { template: source.clone(), detail })
            }
            Self::Mixed { source, .. } => {
                let template = ENVIRONMENT.template_from_str(source).map_err(|error| syntax(&error))?;
                template.render(scope.to_value()).map(Value::String).map_err(|error| self.failed(&error, scope))
            }
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is the template engine's, and marked as open")]
    fn failed(&self, error: &minijinja::Error, scope: &Scope) -> TemplateError {
        let template = self.source().to_owned();
        match error.kind() {
            ErrorKind::UndefinedError => self.undefined(scope),
            // `missing + 1` is an invalid operation to the template engine; to its author it is a missing variable.
            ErrorKind::InvalidOperation if describe(error).contains("undefined") => self.undefined(scope),
            ErrorKind::OutOfFuel => TemplateError::OutOfFuel { template },
            _ => TemplateError::Failed { template, detail: describe(error) },
        }
    }

    /// Names the first variable that the scope does not have; the engine's own error does not say which one it was.
    fn undefined(&self, scope: &Scope) -> TemplateError {
        match self.names().into_iter().find(|name| !scope.has(name)) {
            Some(name) => TemplateError::Undefined { name },
            None => TemplateError::Failed {
                template: self.source().to_owned(),
                detail: "a value in it is undefined".to_owned(),
            },
        }
    }
}

/// A compiled condition.
#[derive(Debug)]
pub enum Test {
    Fixed(bool),
    Expression(Template),
}

impl Test {
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile(condition: &crate::playbook::Condition) -> Result<Self, TemplateError> {
        match condition {
            crate::playbook::Condition::Fixed(value) => Ok(Self::Fixed(*value)),
            crate::playbook::Condition::Expression(source) => Template::compile(source).map(Self::Expression),
        }
    }

    /// # Errors
    /// As [`Template::render`]; and a value that is no boolean, the text "false" included.
    pub fn holds(&self, scope: &Scope) -> Result<bool, TemplateError> {
        match self {
            Self::Fixed(value) => Ok(*value),
            Self::Expression(template) => match template.render(scope)? {
                Value::Bool(value) => Ok(value),
                other @ (Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                    Err(TemplateError::NotBoolean { template: template.source().to_owned(), observed: brief(&other) })
                }
            },
        }
    }

    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Fixed(_) => BTreeSet::new(),
            Self::Expression(template) => template.names(),
        }
    }
}

/// A compiled JSON value: every string in it is a template.
#[derive(Debug)]
pub enum Tree {
    Leaf(Value),
    Text(Template),
    List(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// # Errors
    /// The path of the string that is no template, such as `metadata.note`, and why.
    pub fn compile(value: &Value) -> Result<Self, (String, TemplateError)> {
        match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => Ok(Self::Leaf(value.clone())),
            Value::String(text) => Template::compile(text).map(Self::Text).map_err(|error| (String::new(), error)),
            Value::Array(items) => {
                let compile = |(index, item)| Self::compile(item).map_err(|error| within(&format!("[{index}]"), error));
                items.iter().enumerate().map(compile).collect::<Result<_, _>>().map(Self::List)
            }
            Value::Object(fields) => {
                let compile = |(key, item): (&String, _)| {
                    Self::compile(item).map(|tree| (key.clone(), tree)).map_err(|error| within(key, error))
                };
                fields.iter().map(compile).collect::<Result<_, _>>().map(Self::Object)
            }
        }
    }

    /// # Errors
    /// The path of the string that could not be rendered, and why.
    pub fn render(&self, scope: &Scope) -> Result<Value, (String, TemplateError)> {
        match self {
            Self::Leaf(value) => Ok(value.clone()),
            Self::Text(template) => template.render(scope).map_err(|error| (String::new(), error)),
            Self::List(items) => {
                let render = |(index, item): (usize, &Self)| {
                    item.render(scope).map_err(|error| within(&format!("[{index}]"), error))
                };
                items.iter().enumerate().map(render).collect::<Result<_, _>>().map(Value::Array)
            }
            Self::Object(fields) => {
                let render = |(key, item): &(String, Self)| {
                    item.render(scope).map(|value| (key.clone(), value)).map_err(|error| within(key, error))
                };
                fields.iter().map(render).collect::<Result<_, _>>().map(Value::Object)
            }
        }
    }

    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Leaf(_) => BTreeSet::new(),
            Self::Text(template) => template.names(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, tree)| tree.names()).collect(),
        }
    }
}

/// Whether a text has template marks in it; any other text stands for itself.
pub fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

/// Whether templates have a filter of this name.
pub fn has_filter(name: &str) -> bool {
    !fails_with(&format!("0|{name}"), ErrorKind::UnknownFilter)
}

/// Whether templates have a test of this name, as in `x is defined`.
pub fn has_test(name: &str) -> bool {
    !fails_with(&format!("0 is {name}"), ErrorKind::UnknownTest)
}

fn fails_with(expression: &str, kind: ErrorKind) -> bool {
    let error = ENVIRONMENT.compile_expression(expression).and_then(|compiled| compiled.eval(())).err();
    error.is_some_and(|error| error.kind() == kind)
}

/// A value in a few words, for an error: its type, and its text where that is short.
pub fn brief(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => format!("the boolean {value}"),
        Value::Number(value) => format!("the number {value}"),
        Value::String(text) if text.len() <= 40 => format!("the text {text:?}"),
        Value::String(text) => format!("a text of {} bytes", text.len()),
        Value::Array(items) => format!("a list of {}", items.len()),
        Value::Object(fields) => format!("an object of {} fields", fields.len()),
    }
}

fn within(outer: &str, (inner, error): (String, TemplateError)) -> (String, TemplateError) {
    match inner.as_str() {
        "" => (outer.to_owned(), error),
        index if index.starts_with('[') => (format!("{outer}{index}"), error),
        _ => (format!("{outer}.{inner}"), error),
    }
}

fn sole_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{- x -}}` trims the white space around it; around a sole expression there is none.
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

fn syntax(error: &minijinja::Error) -> TemplateError {
    TemplateError::Syntax { detail: describe(error), line: error.line().unwrap_or(1), range: error.range() }
}

fn describe(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned)
}
