//! The variables of a rendering.

use std::sync::Arc;

use minijinja::value::{Object, Serde, Value as Dynamic};
use serde_json::Value;

/// Looks up variables by name. A rendering looks up only the variables that it reads, so its cost does not grow with the run.
pub trait Lookup: Send + Sync + std::fmt::Debug + 'static {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<Value>;

    /// The outputs of an ended step, as `steps.NAME`.
    fn step(&self, _name: &str) -> Option<Value> {
        None
    }
}

/// The variables of one rendering: those of a run, and `item` inside a step that fans out.
#[derive(Debug, Clone)]
pub struct Scope {
    variables: Arc<dyn Lookup>,
    item: Option<Value>,
}

impl Scope {
    /// A scope without `item`.
    pub fn new(variables: Arc<dyn Lookup>) -> Self {
        Self { variables, item: None }
    }

    /// The scope of one element of a `for_each`.
    #[must_use]
    pub fn with_item(mut self, item: Value) -> Self {
        self.item = Some(item);
        self
    }

    /// Whether `path`, such as `ticket_id` or `steps.check.healthy`, leads to a value.
    pub fn has(&self, path: &str) -> bool {
        let mut parts = path.split('.');
        let root = match (parts.next(), &self.item) {
            (Some("steps"), _) => {
                return parts.next().is_none_or(|name| self.step_has(name, parts));
            }
            (Some("item"), Some(item)) => Some(item.clone()),
            (Some(name), _) => self.variables.variable(name),
            (None, _) => None,
        };
        root.is_some_and(|root| parts.try_fold(&root, |value, key| value.get(key)).is_some())
    }

    fn step_has<'a>(&self, name: &str, mut path: impl Iterator<Item = &'a str>) -> bool {
        let outputs = self.variables.step(name);
        outputs.is_some_and(|outputs| path.try_fold(&outputs, |value, key| value.get(key)).is_some())
    }

    pub(super) fn to_value(&self) -> Dynamic {
        Dynamic::from_object(self.clone())
    }
}

impl Object for Scope {
    fn get_value(self: &Arc<Self>, key: &Dynamic) -> Option<Dynamic> {
        match (key.as_str()?, &self.item) {
            ("steps", _) => Some(Dynamic::from_object(Steps(Arc::clone(&self.variables)))),
            ("item", Some(item)) => Some(Dynamic::from(Serde(item.clone()))),
            (name, _) => self.variables.variable(name).map(|value| Dynamic::from(Serde(value))),
        }
    }
}

/// `steps` in a template.
#[derive(Debug)]
struct Steps(Arc<dyn Lookup>);

impl Object for Steps {
    fn get_value(self: &Arc<Self>, key: &Dynamic) -> Option<Dynamic> {
        key.as_str().and_then(|name| self.0.step(name)).map(|value| Dynamic::from(Serde(value)))
    }
}

/// The variables of an incident that has no run yet.
impl Lookup for crate::Map {
    /// The value of a variable.
    fn variable(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }
}
