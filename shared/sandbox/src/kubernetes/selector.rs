//! Label and field selectors of a list call: the forms `key=value`, `key in (a,b)` and `key`.

use super::failure::Failure;
use super::pod::Pod;

/// The conditions of a list call. A pod is listed if it meets all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Condition {
    /// The label has one of `values`; `None` accepts every value.
    Label {
        key: String,
        values: Option<Vec<String>>,
    },
    Field {
        key: String,
        value: String,
    },
}

/// The fields that the API selects pods by, of those that the stand-in's pods have.
const FIELDS: [&str; 4] = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"];

impl Selector {
    /// Reads the selectors in the query string of a list call.
    pub(super) fn read(query: &str) -> Result<Self, Failure> {
        let mut conditions = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let read = match name.as_ref() {
                "labelSelector" => label,
                "fieldSelector" => field,
                "watch" if value == "true" || value == "1" => {
                    return Err(Failure::bad_request("watch: not supported by the sandbox".to_owned()));
                }
                _ => continue,
            };
            for part in parts(&value).into_iter().map(str::trim).filter(|part| !part.is_empty()) {
                conditions.push(read(part).ok_or_else(|| {
                    Failure::bad_request(format!(
                        "unable to parse requirement, or not supported by the sandbox: {part:?}"
                    ))
                })?);
            }
        }
        Ok(Self { conditions })
    }

    pub(super) fn matches(&self, pod: &Pod) -> bool {
        self.conditions.iter().all(|condition| match condition {
            Condition::Label { key, values } => {
                pod.labels.get(key).is_some_and(|own| values.as_ref().is_none_or(|values| values.contains(own)))
            }
            Condition::Field { key, value } => {
                let own = match key.as_str() {
                    "metadata.name" => pod.name.as_str(),
                    "metadata.namespace" => pod.namespace.as_str(),
                    "status.phase" => pod.phase.as_str(),
                    _ => "node-1",
                };
                own == value
            }
        })
    }
}

/// Splits at the commas outside of parentheses.
fn parts(text: &str) -> Vec<&str> {
    let mut is_inside = false;
    text.split(|letter| {
        is_inside = (is_inside || letter == '(') && letter != ')';
        letter == ',' && !is_inside
    })
    .collect()
}

fn label(part: &str) -> Option<Condition> {
    let (key, values) = match (equality(part), part.strip_suffix(')')) {
        (Some((key, value)), _) => (key, Some(vec![value.to_owned()])),
        (None, Some(set)) => {
            let (key, values) = set.split_once(" in (")?;
            (key, Some(values.split(',').map(|value| value.trim().to_owned()).collect()))
        }
        (None, None) => (part, None),
    };
    let is_legal = |letter: char| letter.is_ascii_alphanumeric() || "-_./".contains(letter);
    let key = key.trim();
    (!key.is_empty() && key.chars().all(is_legal)).then(|| Condition::Label { key: key.to_owned(), values })
}

fn field(part: &str) -> Option<Condition> {
    let (key, value) = equality(part).filter(|(key, _)| FIELDS.contains(key))?;
    Some(Condition::Field { key: key.to_owned(), value: value.to_owned() })
}

/// The two sides of `key=value` or `key==value`.
fn equality(part: &str) -> Option<(&str, &str)> {
    let (key, value) = part.split_once("==").or_else(|| part.split_once('='))?;
    Some((key.trim(), value.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(name: &str, text: &str) -> String {
        url::form_urlencoded::Serializer::new(String::new()).append_pair(name, text).finish()
    }

    #[test]
    fn selectors_match_as_in_the_real_api() {
        let labels = [("app".to_owned(), "worker".to_owned()), ("tier".to_owned(), "a".to_owned())].into();
        let pod = Pod { labels, ..Pod::new("n", "worker-1") };
        let cases = [
            ("labelSelector", "app=worker", true),
            ("labelSelector", "app==worker,tier=a", true),
            ("labelSelector", "app=worker,tier=b", false),
            ("labelSelector", "tier in (a, b),app", true),
            ("labelSelector", "tier in (b)", false),
            ("labelSelector", "zone", false),
            ("labelSelector", "", true),
            ("fieldSelector", "metadata.name=worker-1", true),
            ("fieldSelector", "status.phase=Pending", false),
        ];
        for (name, text, expected) in cases {
            let selector = Selector::read(&query(name, text)).unwrap();
            assert_eq!(selector.matches(&pod), expected, "{name} {text}");
        }
    }

    #[test]
    fn an_invalid_or_unsupported_selector_is_a_bad_request() {
        for (name, text) in [
            ("labelSelector", "a b"),
            ("labelSelector", "tier in (a"),
            ("labelSelector", "=a"),
            ("labelSelector", "tier!=a"),
            ("labelSelector", "!tier"),
            ("fieldSelector", "metadata.name"),
            ("fieldSelector", "spec.replicas=1"),
            ("watch", "true"),
        ] {
            assert!(Selector::read(&query(name, text)).is_err(), "{name} {text}");
        }
    }
}
