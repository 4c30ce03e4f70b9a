//! Label and field selectors of a list call.

use super::failure::Failure;
use super::pod::Pod;

/// Which pods a list call asks for: those that every condition holds for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Selector {
    conditions: Vec<Condition>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    on: On,
    key: String,
    test: Test,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum On {
    Label,
    Field,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Absent,
}

/// The fields of a pod that the API selects by, of those that a pod here has.
const FIELDS: [&str; 4] = ["metadata.name", "metadata.namespace", "spec.nodeName", "status.phase"];

impl Selector {
    /// From the call's query string.
    pub(super) fn read(query: &str) -> Result<Self, Failure> {
        let mut selector = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match name.as_ref() {
                "labelSelector" => selector.add(On::Label, &value)?,
                "fieldSelector" => selector.add(On::Field, &value)?,
                "watch" if value == "true" || value == "1" => {
                    return Err(Failure::bad_request("watch: not served by this stand-in".to_owned()));
                }
                _ => {}
            }
        }
        Ok(selector)
    }

    fn add(&mut self, on: On, text: &str) -> Result<(), Failure> {
        for part in parts(text) {
            let part = part.trim();
            if part.is_empty() {
                continue;
            }
            let condition = condition(on, part)
                .ok_or_else(|| Failure::bad_request(format!("unable to parse requirement: {part:?}")))?;
            if on == On::Field && !FIELDS.contains(&condition.key.as_str()) {
                let key = &condition.key;
                return Err(Failure::bad_request(format!("field label not supported: {key}")));
            }
            self.conditions.push(condition);
        }
        Ok(())
    }

    pub(super) fn holds(&self, pod: &Pod) -> bool {
        self.conditions.iter().all(|condition| condition.holds(pod))
    }
}

impl Condition {
    fn holds(&self, pod: &Pod) -> bool {
        let own = match self.on {
            On::Label => pod.labels.get(&self.key).map(String::as_str),
            On::Field => match self.key.as_str() {
                "metadata.name" => Some(pod.name.as_str()),
                "metadata.namespace" => Some(pod.namespace.as_str()),
                "status.phase" => Some(pod.phase.as_str()),
                _ => Some("node-1"),
            },
        };
        let among = |values: &[String]| own.is_some_and(|own| values.iter().any(|value| value == own));
        match &self.test {
            Test::In(values) => among(values),
            Test::NotIn(values) => !among(values),
            Test::Exists => own.is_some(),
            Test::Absent => own.is_none(),
        }
    }
}

/// Splits at the commas outside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_u32;
    text.split(|letter| {
        match letter {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    })
    .collect()
}

fn condition(on: On, part: &str) -> Option<Condition> {
    let make = |key: &str, test| {
        let key = key.trim();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        (!key.is_empty() && key.chars().all(legal)).then(|| Condition { on, key: key.to_owned(), test })
    };
    let one = |value: &str| vec![value.trim().to_owned()];
    if let Some((key, value)) = part.split_once("!=") {
        return make(key, Test::NotIn(one(value)));
    }
    if let Some((key, value)) = part.split_once('=') {
        return make(key, Test::In(one(value.strip_prefix('=').unwrap_or(value))));
    }
    if on == On::Field {
        return None;
    }
    if let Some((head, rest)) = part.split_once('(') {
        let values = rest.strip_suffix(')')?.split(',').map(|value| value.trim().to_owned()).collect();
        let (key, operator) = head.trim().rsplit_once(' ')?;
        return match operator {
            "in" => make(key, Test::In(values)),
            "notin" => make(key, Test::NotIn(values)),
            _ => None,
        };
    }
    match part.strip_prefix('!') {
        Some(key) => make(key, Test::Absent),
        None => make(part, Test::Exists),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Pod {
        Pod {
            labels: [("app".to_owned(), "worker".to_owned()), ("tier".to_owned(), "a".to_owned())].into(),
            ..Pod::new("n", "worker-1")
        }
    }

    fn query(name: &str, text: &str) -> String {
        url::form_urlencoded::Serializer::new(String::new()).append_pair(name, text).finish()
    }

    #[test]
    fn selectors_read_as_the_api_reads_them() {
        let cases = [
            ("labelSelector", "app=worker", true),
            ("labelSelector", "app==worker,tier=a", true),
            ("labelSelector", "app=worker,tier=b", false),
            ("labelSelector", "app!=worker", false),
            ("labelSelector", "zone!=x", true),
            ("labelSelector", "tier in (a, b),app", true),
            ("labelSelector", "tier notin (a,b)", false),
            ("labelSelector", "!zone", true),
            ("labelSelector", "!app", false),
            ("labelSelector", "", true),
            ("fieldSelector", "metadata.name=worker-1", true),
            ("fieldSelector", "status.phase!=Running", false),
        ];
        for (name, text, expected) in cases {
            let selector = Selector::read(&query(name, text)).unwrap();
            assert_eq!(selector.holds(&pod()), expected, "{name} {text}");
        }
    }

    #[test]
    fn what_is_no_selector_is_a_bad_request() {
        for (name, text) in [
            ("labelSelector", "a b"),
            ("labelSelector", "tier in (a"),
            ("labelSelector", "=a"),
            ("fieldSelector", "metadata.name"),
            ("fieldSelector", "spec.replicas=1"),
            ("watch", "true"),
        ] {
            assert!(Selector::read(&query(name, text)).is_err(), "{name} {text}");
        }
    }
}
