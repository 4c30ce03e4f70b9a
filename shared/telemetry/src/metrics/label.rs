//! Labels, each with the closed set of its values.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// Replaces a value that is not in its label's set.
pub const OTHER: &str = "other";

/// One label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    /// The label's name in every export.
    pub name: &'static str,
    /// The values that it may have.
    pub values: Values,
}

/// The values that a label may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// These, and [`OTHER`] for the rest.
    Closed(&'static [&'static str]),
    /// [`Names::actions`], and [`OTHER`] for the rest.
    Actions,
    /// [`Names::playbooks`], and [`OTHER`] for the rest.
    Playbooks,
    /// Constants of this build; not checked.
    Build,
}

/// The names that may occur as label values.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    /// The actions of this build.
    pub actions: BTreeSet<String>,
    /// The playbooks of the library.
    pub playbooks: BTreeSet<String>,
}

impl Label {
    /// The values that are known in advance; empty for [`Values::Build`].
    pub fn known<'n>(&self, names: &'n Names) -> Vec<&'n str> {
        match self.values {
            Values::Closed(values) => values.to_vec(),
            Values::Actions => names.actions.iter().map(String::as_str).collect(),
            Values::Playbooks => names.playbooks.iter().map(String::as_str).collect(),
            Values::Build => Vec::new(),
        }
    }

    /// `value` if it is in the label's set, else [`OTHER`].
    pub fn admit<'v>(&self, value: &'v str, names: &Names) -> Cow<'v, str> {
        let known = match self.values {
            Values::Closed(values) => values.contains(&value),
            Values::Actions => names.actions.contains(value),
            Values::Playbooks => names.playbooks.contains(value),
            Values::Build => true,
        };
        Cow::Borrowed(if known { value } else { OTHER })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_outside_the_set_becomes_other() {
        let names = Names {
            actions: BTreeSet::from(["restart_pod".to_owned()]),
            playbooks: BTreeSet::from(["worker_failure_recovery".to_owned()]),
        };
        let label = |values| Label { name: "x", values };
        let cases = [
            (Values::Closed(&["success", "error"]), "success", "success"),
            (Values::Closed(&["success", "error"]), "Success", OTHER),
            (Values::Closed(&["success", "error"]), "", OTHER),
            (Values::Actions, "restart_pod", "restart_pod"),
            (Values::Actions, "drop_database", OTHER),
            (Values::Playbooks, "worker_failure_recovery", "worker_failure_recovery"),
            (Values::Playbooks, "restart_pod", OTHER),
        ];
        for (values, given, admitted) in cases {
            assert_eq!(label(values).admit(given, &names), admitted, "{values:?} {given}");
        }
    }
}
