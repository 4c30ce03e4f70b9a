//! The label selector that finds the pods of a worker.

use std::fmt;

use crate::kubernetes::is_dns_name;

/// Stands for the worker's id in a selector.
const PLACEHOLDER: &str = "{worker_id}";

/// Longest name of a label and longest value, in bytes (Kubernetes, "Labels and selectors").
const MAX_LABEL_BYTES: usize = 63;

/// A Kubernetes label selector with `{worker_id}` in it, such as `app=worker,worker-id={worker_id}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerSelector(String);

impl WorkerSelector {
    /// Checks the selector.
    ///
    /// # Errors
    /// What was expected of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "a label selector with {worker_id} in it, such as app=worker,worker-id={worker_id}";
        if !text.contains(PLACEHOLDER) {
            return Err(EXPECTED.to_owned());
        }
        match requirements(&text.replace(PLACEHOLDER, "w")).into_iter().find(|part| key_of(part).is_none()) {
            Some(part) => Err(format!("{EXPECTED} ({part:?} is not a requirement of a label)")),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The selector for one worker; `None` if no label can have its id in this place.
    pub fn for_worker(&self, worker_id: &str) -> Option<String> {
        let selector = self.0.replace(PLACEHOLDER, worker_id);
        let is_selector = || requirements(&selector).into_iter().all(|part| key_of(part).is_some());
        (!worker_id.is_empty() && is_label_value(worker_id) && is_selector()).then_some(selector)
    }

    /// The names of the labels in it.
    pub(crate) fn keys(&self) -> Vec<&str> {
        requirements(&self.0).into_iter().filter_map(key_of_any).collect()
    }
}

impl fmt::Display for WorkerSelector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The parts between the commas outside of parentheses.
fn requirements(selector: &str) -> Vec<&str> {
    let mut is_inside = false;
    let parts = selector.split(|letter| {
        is_inside = (is_inside || letter == '(') && letter != ')';
        letter == ',' && !is_inside
    });
    parts.map(str::trim).collect()
}

/// The label's name in a requirement; `None` if the text is not a requirement.
fn key_of(requirement: &str) -> Option<&str> {
    let (key, values) = split(requirement)?;
    (is_label_key(key) && values.into_iter().all(is_label_value)).then_some(key)
}

/// The label's name in a requirement whose values contain [`PLACEHOLDER`].
fn key_of_any(requirement: &str) -> Option<&str> {
    split(requirement).map(|(key, _)| key)
}

/// The label's name and the values of `key`, `!key`, `key=a`, `key==a`, `key!=a`, `key in (a, b)` or `key notin (a, b)`.
fn split(requirement: &str) -> Option<(&str, Vec<&str>)> {
    if let Some(set) = requirement.strip_suffix(')') {
        let (head, values) = set.split_once('(')?;
        let (key, operator) = head.trim_end().rsplit_once(char::is_whitespace)?;
        let is_set = matches!(operator, "in" | "notin");
        return is_set.then(|| (key.trim(), values.split(',').map(str::trim).collect()));
    }
    if let Some((key, value)) = ["!=", "==", "="].into_iter().find_map(|operator| requirement.split_once(operator)) {
        return Some((key.trim(), vec![value.trim()]));
    }
    Some((requirement.strip_prefix('!').unwrap_or(requirement).trim(), Vec::new()))
}

fn is_label_key(key: &str) -> bool {
    let (prefix, name) = key.split_once('/').map_or((None, key), |(prefix, name)| (Some(prefix), name));
    prefix.is_none_or(is_dns_name) && !name.is_empty() && is_label_value(name)
}

/// Whether a label can have this value: empty, or letters, digits, `-`, `_` and `.`, a letter or digit first and last.
fn is_label_value(value: &str) -> bool {
    let ends = [value.bytes().next(), value.bytes().next_back()];
    value.len() <= MAX_LABEL_BYTES
        && ends.into_iter().flatten().all(|byte| byte.is_ascii_alphanumeric())
        && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_is_filled_in_for_a_worker() {
        for (selector, worker, expected) in [
            ("self-healing.io/worker-id={worker_id}", "worker-1", Some("self-healing.io/worker-id=worker-1")),
            ("app=w,id in (a, {worker_id}), !old", "B_2", Some("app=w,id in (a, B_2), !old")),
            ("app in (a,b),id!={worker_id}", "x", Some("app in (a,b),id!=x")),
            ("id={worker_id}", "0a9b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d", Some("id=0a9b1c2d-3e4f-4a5b-8c6d-7e8f9a0b1c2d")),
            // None of these can be the value of a label, and none becomes another selector.
            ("id={worker_id}", "two words", None),
            ("id={worker_id}", "a,app=b", None),
            ("id in ({worker_id})", "a) , (b", None),
            ("id={worker_id}", "-a", None),
            ("id={worker_id}", "é", None),
            ("id={worker_id}", "", None),
            ("id=w-{worker_id}", &"a".repeat(62), None),
        ] {
            assert_eq!(WorkerSelector::parse(selector).unwrap().for_worker(worker).as_deref(), expected, "{worker:?}");
        }
        let longest = "a".repeat(MAX_LABEL_BYTES);
        let selector = WorkerSelector::parse("id={worker_id}").unwrap();
        assert!(selector.for_worker(&longest).is_some() && selector.for_worker(&format!("{longest}a")).is_none());
    }

    #[test]
    fn a_text_that_is_not_a_selector_for_workers_is_refused_with_its_part() {
        for (text, expected) in [
            ("app=worker", "with {worker_id} in it"),
            ("a b={worker_id}", "\"a b=w\" is not a requirement"),
            ("app=worker,,id={worker_id}", "\"\" is not a requirement"),
            ("={worker_id}", "\"=w\" is not a requirement"),
            ("-x/id={worker_id}", "\"-x/id=w\" is not a requirement"),
            ("id in {worker_id}", "\"id in w\" is not a requirement"),
            ("id of ({worker_id})", "\"id of (w)\" is not a requirement"),
            ("id={worker_id},app=a/b", "\"app=a/b\" is not a requirement"),
        ] {
            let error = WorkerSelector::parse(text).unwrap_err();
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn the_names_of_its_labels_are_known() {
        let selector = WorkerSelector::parse("app=w, x.io/id in ({worker_id}), !old").unwrap();
        assert_eq!(selector.keys(), ["app", "x.io/id", "old"]);
    }
}
