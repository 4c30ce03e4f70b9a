//! A JSON value whose strings are templates.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Scope, Template, TemplateError};

/// A compiled JSON value: every string in it is a template.
#[derive(Debug)]
pub enum Tree {
    /// Null, boolean or number.
    Leaf(Value),
    /// A string.
    Text(Template),
    /// A list.
    List(Vec<Tree>),
    /// An object, in the order of its keys.
    Object(Vec<(String, Tree)>),
}

impl Tree {
    /// Compiles every string in `value`.
    ///
    /// # Errors
    /// The path of the string that is not a template, such as `metadata.note`, and why.
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

    /// Renders every string with the variables of `scope`.
    ///
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

    /// The variables that it reads; see [`Template::names`].
    pub fn names(&self) -> BTreeSet<String> {
        match self {
            Self::Leaf(_) => BTreeSet::new(),
            Self::Text(template) => template.names(),
            Self::List(items) => items.iter().flat_map(Self::names).collect(),
            Self::Object(fields) => fields.iter().flat_map(|(_, tree)| tree.names()).collect(),
        }
    }
}

fn within(outer: &str, (inner, error): (String, TemplateError)) -> (String, TemplateError) {
    (join(outer, &inner), error)
}

/// The path of a text at `inner` of `outer`: `parameters.pod`, `for_each[1]`.
pub(crate) fn join(outer: &str, inner: &str) -> String {
    match inner {
        "" => outer.to_owned(),
        index if index.starts_with('[') => format!("{outer}{index}"),
        _ => format!("{outer}.{inner}"),
    }
}
