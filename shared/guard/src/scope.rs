//! Scope: targets that their owners have taken out of the engine's reach, or have to bring into it, by a mark on the target itself.

use std::collections::BTreeMap;
use std::fmt;

use heal_engine::message::Violation;
use serde::{Deserialize, Serialize};

use crate::decide::violation;
use crate::effect::Effect;
use crate::guardrails::{Guardrails, Selector};

/// The mark with which a target always opts out, whatever the guardrails say: as a label, an annotation or a key of a ticket's metadata. Only
/// the value [`IGNORE_NOT`] means the opposite.
pub const IGNORE: &str = "self-healing.io/ignore";
/// The value of [`IGNORE`] that takes nothing out.
pub const IGNORE_NOT: &str = "false";

/// What is written on a target, read just before the effect.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Marks {
    /// Labels, such as a pod's.
    pub labels: BTreeMap<String, String>,
    /// Annotations, such as a pod's.
    pub annotations: BTreeMap<String, String>,
    /// The metadata of a ticket whose values are texts, numbers or booleans.
    pub metadata: BTreeMap<String, String>,
}

/// A rule on which targets are in the engine's reach: exactly one of `opt_out` and `opt_in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeRule {
    /// The effects that it is for.
    #[serde(default, skip_serializing_if = "Selector::is_everything")]
    pub applies_to: Selector,
    /// A target with this mark is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_out: Option<Mark>,
    /// A target without this mark is left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opt_in: Option<Mark>,
}

/// A mark, as `key` with any value, or `key=value`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mark {
    /// A label.
    Label(String),
    /// An annotation.
    Annotation(String),
    /// A key of a ticket's metadata.
    Metadata(String),
}

/// A rule that keeps a target out of reach, as a decision records it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutOfScope {
    /// The rule, such as `opt_out label team=payments`.
    pub rule: String,
    /// What was read, as a sentence.
    pub text: String,
}

impl Mark {
    /// The kind's word in the file.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Label(_) => "label",
            Self::Annotation(_) => "annotation",
            Self::Metadata(_) => "metadata",
        }
    }

    /// `key` or `key=value`.
    pub fn text(&self) -> &str {
        match self {
            Self::Label(text) | Self::Annotation(text) | Self::Metadata(text) => text,
        }
    }

    /// The value that `marks` has for the key.
    fn value<'m>(&self, marks: &'m Marks) -> Option<&'m str> {
        let values = match self {
            Self::Label(_) => &marks.labels,
            Self::Annotation(_) => &marks.annotations,
            Self::Metadata(_) => &marks.metadata,
        };
        let key = self.text().split_once('=').map_or(self.text(), |(key, _)| key);
        values.get(key).map(String::as_str)
    }

    fn is_on(&self, marks: &Marks) -> bool {
        let wanted = self.text().split_once('=').map(|(_, value)| value);
        self.value(marks).is_some_and(|found| wanted.is_none_or(|wanted| wanted == found))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind(), self.text())
    }
}

impl ScopeRule {
    /// What the rule says of a target of `effect` with `marks`; `None` if the target is in reach.
    fn judge(&self, effect: &Effect, marks: &Marks) -> Option<OutOfScope> {
        if !self.applies_to.admits(effect) {
            return None;
        }
        let out = self.opt_out.as_ref().filter(|mark| mark.is_on(marks)).map(|mark| OutOfScope {
            rule: format!("opt_out {mark}"),
            text: format!("{} has the {mark}", effect.target),
        });
        let not_in = || {
            let mark = self.opt_in.as_ref().filter(|mark| !mark.is_on(marks))?;
            let found = mark.value(marks).map(|value| format!(", its value is {value}")).unwrap_or_default();
            Some(OutOfScope {
                rule: format!("opt_in {mark}"),
                text: format!("{} does not have the {mark}{found}", effect.target),
            })
        };
        out.or_else(not_in)
    }
}

impl OutOfScope {
    /// The broken rule.
    pub(crate) fn violation(&self) -> Violation {
        violation(&self.rule, &self.text)
    }
}

impl Guardrails {
    /// The rules that keep the target of `effect` out of reach; empty if it is in reach.
    pub fn out_of_scope(&self, effect: &Effect, marks: &Marks) -> Vec<OutOfScope> {
        let ignore = IGNORE.to_owned();
        let always = [Mark::Label(ignore.clone()), Mark::Annotation(ignore.clone()), Mark::Metadata(ignore)];
        let always = always.into_iter().filter(|mark| mark.value(marks).is_some_and(|value| value != IGNORE_NOT));
        let always = always.map(|mark| OutOfScope {
            text: format!("{} has the {mark}", effect.target),
            rule: format!("opt_out {mark}"),
        });
        always.chain(self.scope.iter().filter_map(|rule| rule.judge(effect, marks))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(labels: &[(&str, &str)]) -> Marks {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Marks { labels, ..Marks::default() }
    }

    fn rules(rule: ScopeRule, marks: &Marks) -> Vec<String> {
        let rails = Guardrails { scope: vec![rule], ..Guardrails::default() };
        let found = rails.out_of_scope(&Effect::new("restart_pod", "p", "worker-1"), marks);
        found.into_iter().map(|out| format!("{}: {}", out.rule, out.text)).collect()
    }

    fn rule(opt_out: Option<&str>, opt_in: Option<&str>) -> ScopeRule {
        let label = |text: Option<&str>| text.map(|text| Mark::Label(text.to_owned()));
        ScopeRule { applies_to: Selector::default(), opt_out: label(opt_out), opt_in: label(opt_in) }
    }

    #[test]
    fn a_target_opts_out_by_a_key_or_by_a_key_with_its_value() {
        let none = Vec::<String>::new();
        let by_value = || rule(Some("team=payments"), None);
        assert_eq!(rules(by_value(), &marks(&[("team", "search")])), none);
        assert_eq!(
            rules(by_value(), &marks(&[("team", "payments")])),
            ["opt_out label team=payments: worker-1 has the label team=payments"]
        );
        assert_eq!(rules(rule(Some("team"), None), &marks(&[("team", "")])).len(), 1);
        let others = Selector { actions: vec!["pause_workflow".to_owned()], ..Selector::default() };
        let of_others = ScopeRule { applies_to: others, ..rule(Some("team"), None) };
        assert_eq!(rules(of_others, &marks(&[("team", "")])), none);
    }

    #[test]
    fn a_target_that_has_to_opt_in_is_out_of_reach_without_its_mark() {
        let managed = || rule(None, Some("managed=true"));
        assert_eq!(rules(managed(), &marks(&[("managed", "true")])), Vec::<String>::new());
        assert_eq!(
            rules(managed(), &marks(&[("managed", "no")])),
            ["opt_in label managed=true: worker-1 does not have the label managed=true, its value is no"]
        );
        assert_eq!(rules(managed(), &Marks::default()).len(), 1);
    }

    #[test]
    fn the_mark_that_always_works_needs_no_rule() {
        let effect = Effect::new("restart_pod", "p", "worker-1");
        let one = |value: &str| BTreeMap::from([(IGNORE.to_owned(), value.to_owned())]);
        let with = |marks: &Marks| Guardrails::default().out_of_scope(&effect, marks).len();
        for value in ["true", "", "yes please"] {
            assert_eq!(with(&Marks { labels: one(value), ..Marks::default() }), 1, "{value}");
            assert_eq!(with(&Marks { annotations: one(value), ..Marks::default() }), 1, "{value}");
            assert_eq!(with(&Marks { metadata: one(value), ..Marks::default() }), 1, "{value}");
        }
        assert_eq!(with(&Marks { labels: one(IGNORE_NOT), ..Marks::default() }), 0);
    }
}
