//! Templates: strict, without I/O, bounded in fuel and size. Only text of playbooks and checks is compiled, never a payload.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::Value;

use crate::limit;
use crate::planted::{self, Bug};

mod convert;
mod error;
mod scope;
mod tree;

pub use error::TemplateError;
pub use scope::{Lookup, Scope};
pub use tree::Tree;
pub(crate) use tree::join;

/// One environment for all templates: it has settings, filters and tests, and stores no template.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(limit::TEMPLATE_FUEL));
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    // `debug` would print every variable, secrets included.
    environment.remove_global("debug");
    // These would hide that the incident lacks a variable of the same name.
    environment.remove_global("dict");
    environment.remove_global("namespace");
    environment
});

/// A compiled text.
#[derive(Debug)]
pub enum Template {
    /// Text without braces, which renders to itself.
    Text(String),
    /// A single expression; its value keeps its type.
    Expression {
        /// Including the braces.
        source: String,
        /// The expression inside the braces.
        compiled: minijinja::Expression<'static, 'static>,
    },
    /// Text with expressions; renders to a string. Compiled at each rendering, since the environment keeps every template that it stores.
    Mixed {
        /// The text.
        source: String,
        /// See [`Template::names`].
        names: BTreeSet<String>,
    },
}

impl Template {
    /// Compiles a text.
    ///
    /// # Errors
    /// It is too long, or not a template.
    pub fn compile(source: &str) -> Result<Self, TemplateError> {
        if source.len() > limit::TEMPLATE_BYTES {
            return Err(TemplateError::TooLong { observed_bytes: source.len() });
        }
        if !is_template(source) {
            return Ok(Self::Text(source.to_owned()));
        }
        if let Some(inner) = sole_expression(source) {
            // `{{ a }}-{{ b }}` also starts and ends with braces. The error is that of the whole template, whose range counts from the start of
            // the source.
            if let Ok(compiled) = ENVIRONMENT.compile_expression_owned(inner.to_owned()) {
                return Ok(Self::Expression { source: source.to_owned(), compiled });
            }
        }
        let template = ENVIRONMENT.template_from_str(source).map_err(|error| syntax(&error))?;
        let names = template.undeclared_variables(true).into_iter().collect();
        Ok(Self::Mixed { source: source.to_owned(), names })
    }

    /// The text that was compiled.
    pub fn source(&self) -> &str {
        match self {
            Self::Text(source) | Self::Expression { source, .. } | Self::Mixed { source, .. } => source,
        }
    }

    /// The variables that the template reads, with their static attributes: `ticket_id`, `steps.check.healthy`.
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Text(_) => BTreeSet::new(),
            Self::Expression { compiled, .. } => compiled.undeclared_variables(true).into_iter().collect(),
            Self::Mixed { names, .. } => names.clone(),
        }
    }

    /// Renders it with the variables of `scope`.
    ///
    /// # Errors
    /// An undefined variable, an operation that the values do not support, or no fuel left.
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

    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum of the template engine is non-exhaustive")]
    fn failed(&self, error: &minijinja::Error, scope: &Scope) -> TemplateError {
        let template = self.source().to_owned();
        match error.kind() {
            ErrorKind::UndefinedError => self.undefined(scope),
            // The template engine calls `missing + 1` an invalid operation; its author has a missing variable.
            ErrorKind::InvalidOperation if describe(error).contains("undefined") => self.undefined(scope),
            ErrorKind::OutOfFuel => TemplateError::OutOfFuel { template },
            _ => TemplateError::Failed { template, detail: describe(error) },
        }
    }

    /// Names the first variable that the scope lacks; the error of the template engine does not name it.
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
    /// `true` or `false`.
    Fixed(bool),
    /// Rendered to a boolean.
    Expression(Template),
}

impl Test {
    /// Compiles a condition.
    ///
    /// # Errors
    /// As [`Template::compile`].
    pub fn compile(condition: &crate::playbook::Condition) -> Result<Self, TemplateError> {
        match condition {
            crate::playbook::Condition::Fixed(value) => Ok(Self::Fixed(*value)),
            crate::playbook::Condition::Expression(source) => Template::compile(source).map(Self::Expression),
        }
    }

    /// Evaluates it with the variables of `scope`.
    ///
    /// # Errors
    /// As [`Template::render`]; also a value that is not a boolean, such as the text "false".
    pub fn holds(&self, scope: &Scope) -> Result<bool, TemplateError> {
        match self {
            Self::Fixed(value) => Ok(*value),
            Self::Expression(template) => match template.render(scope)? {
                Value::Bool(value) => Ok(value),
                Value::String(text) if planted::has(Bug::TruthyText) => Ok(!text.is_empty()),
                other @ (Value::Null | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_)) => {
                    Err(TemplateError::NotBoolean { template: template.source().to_owned(), observed: brief(&other) })
                }
            },
        }
    }

    /// The variables that it reads; see [`Template::names`].
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Fixed(_) => BTreeSet::new(),
            Self::Expression(template) => template.names(),
        }
    }
}

/// Whether a text contains template marks; any other text renders to itself.
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

/// A value in a few words, for error messages: its type, and its text if short.
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

fn sole_expression(source: &str) -> Option<&str> {
    let inner = source.trim().strip_prefix("{{")?.strip_suffix("}}")?;
    // `{{- x -}}` trims the white space around it, of which a sole expression has none.
    let inner = inner.strip_prefix('-').unwrap_or(inner);
    Some(inner.strip_suffix('-').unwrap_or(inner))
}

fn syntax(error: &minijinja::Error) -> TemplateError {
    TemplateError::Syntax { detail: describe(error), line: error.line().unwrap_or(1), range: error.range() }
}

fn describe(error: &minijinja::Error) -> String {
    error.detail().map_or_else(|| error.kind().to_string(), ToOwned::to_owned)
}
