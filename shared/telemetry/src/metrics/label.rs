//! Labels, each with the closed set of the values that it may have.

use std::borrow::Cow;
use std::collections::BTreeSet;

/// What stands for a value that is not in its label's set.
pub const OTHER: &str = "other";

/// One label of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Label {
    pub name: &'static str,
    pub values: Values,
}

/// Which values a label may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// These, and [`OTHER`] for the rest.
    Closed(&'static [&'static str]),
    /// [`Names::actions`], and [`OTHER`] for the rest.
    Actions,
    /// [`Names::playbooks`], and [`OTHER`] for the rest.
    Playbooks,
    /// What this build says of itself.
    Build,
}

/// Names that are known here: of a library's playbooks, and of the actions of this build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Names {
    pub actions: BTreeSet<String>,
    pub playbooks: BTreeSet<String>,
}

impl Label {
    /// The values that are told by name; none where the build alone says them.
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
    fn what_is_not_in_the_set_is_other() {
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
