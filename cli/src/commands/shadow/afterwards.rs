//! What others did to a target after a shadow run would have touched it, as far as later shadow runs read the target.

use std::collections::BTreeMap;

use heal_engine::message::{AttemptOutcome, AttemptResult};
use heal_engine::{Map, RunId, Timestamp, format};
use heal_guard::DecisionRecord;
use serde::Serialize;

use crate::moment;

/// Parameters that name the one target of an attempt that recorded no decision.
const TARGETS: [&str; 3] = ["ticket_id", "workflow_id", "pod_name"];

/// A target as an attempt read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sight {
    pub run_id: RunId,
    pub target: String,
    pub at: Timestamp,
    /// By what people call the fact.
    facts: BTreeMap<&'static str, String>,
    /// When the engine last touched it.
    touched_at: Option<Timestamp>,
}

/// What became of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Afterwards {
    pub target: String,
    #[serde(flatten)]
    pub seen: Seen,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "seen", rename_all = "snake_case")]
pub(super) enum Seen {
    /// No later shadow run read the same of it.
    Unknown,
    /// The last one that did found it as it was.
    Unchanged { at: Timestamp },
    /// The first one that found it otherwise; each change is a sentence.
    Changed { at: Timestamp, changes: Vec<String> },
}

/// What an attempt with these parameters read of its targets.
pub(super) fn sights(run_id: &RunId, at: Timestamp, parameters: Option<&Map>, result: &AttemptResult) -> Vec<Sight> {
    let text = |name: &str| parameters.and_then(|all| all.get(name)?.as_str()).filter(|text| !text.is_empty());
    let uid = text("pod_uid").map(|uid| ("pod uid", uid.to_owned()));
    let sight = |target: &str, facts: Vec<(&'static str, String)>, touched_at| Sight {
        run_id: run_id.clone(),
        target: target.to_owned(),
        at,
        facts: facts.into_iter().chain(uid.clone()).filter(|(_, value)| !value.is_empty()).collect(),
        touched_at,
    };
    let records = result.decisions.iter().filter_map(|text| format::decode::<DecisionRecord>(&text.to_string()).ok());
    let mut found: Vec<Sight> = records
        .map(|record| {
            let told = record.policy_facts;
            let touched_at = told.touched_ms_ago.map(|ago| Timestamp(record.question.now.0.saturating_sub(ago)));
            let facts = vec![("workflow state", told.workflow_state), ("ticket status", told.ticket_status)];
            sight(&record.question.effect.target, facts, touched_at)
        })
        .collect();
    if let (AttemptOutcome::NoOp { .. }, true, Some(target)) =
        (&result.outcome, found.is_empty(), TARGETS.into_iter().find_map(text))
    {
        found.push(sight(target, vec![(NEEDED, "no".to_owned())], None));
    }
    found
}

/// The fact that an action found something to do.
const NEEDED: &str = "something to do";

impl Sight {
    /// As a step saw it that would have been executed.
    pub(super) fn with_something_to_do(mut self) -> Self {
        self.facts.insert(NEEDED, "yes".to_owned());
        self
    }

    /// What the sights of later runs, in order of time, show.
    pub(super) fn afterwards(&self, sights: &[Sight]) -> Afterwards {
        let later = sights.iter().filter(|other| {
            other.target == self.target && other.run_id != self.run_id && self.at < other.at && self.shares(other)
        });
        let mut seen = Seen::Unknown;
        for other in later {
            let changes = self.changes(other);
            if !changes.is_empty() {
                seen = Seen::Changed { at: other.at, changes };
                break;
            }
            seen = Seen::Unchanged { at: other.at };
        }
        Afterwards { target: self.target.clone(), seen }
    }

    /// Whether the two say anything about each other.
    fn shares(&self, later: &Self) -> bool {
        later.touched_at.is_some() || self.facts.keys().any(|name| later.facts.contains_key(name))
    }

    fn changes(&self, later: &Self) -> Vec<String> {
        let differs = |(name, before): (&&str, &String)| {
            let after = later.facts.get(name).filter(|after| *after != before)?;
            Some(format!("{name}: {before}, then {after}"))
        };
        let touched = later.touched_at.filter(|touched_at| *touched_at > self.at);
        let touched = touched.map(|at| format!("touched by a live run at {}", moment::rfc3339(at)));
        self.facts.iter().filter_map(differs).chain(touched).collect()
    }
}

impl std::fmt::Display for Afterwards {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { target, seen } = self;
        match seen {
            Seen::Unknown => write!(f, "{target}: unknown, no later shadow run read it"),
            Seen::Unchanged { at } => write!(f, "{target}: as it was, read at {}", moment::rfc3339(*at)),
            Seen::Changed { at, changes } => {
                write!(f, "{target}: {}; read at {}", changes.join(", "), moment::rfc3339(*at))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(run: &str, at: u64, facts: &[(&'static str, &str)], touched_at: Option<u64>) -> Sight {
        Sight {
            run_id: RunId::new(run),
            target: "ticket-1".to_owned(),
            at: Timestamp(at),
            facts: facts.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            touched_at: touched_at.map(Timestamp),
        }
    }

    #[test]
    fn the_first_later_difference_counts_and_without_a_later_read_it_is_unknown() {
        let own = sight("a", 100, &[("ticket status", "RUNNING")], None).with_something_to_do();
        let same = sight("b", 200, &[("ticket status", "RUNNING")], Some(50));
        let done = sight("c", 300, &[("ticket status", "COMPLETED")], None);
        let back = sight("d", 400, &[("ticket status", "RUNNING")], None);
        let other_facts = sight("e", 500, &[("pod uid", "7")], None);
        let seen = |sights: &[Sight]| own.afterwards(sights).seen;
        assert_eq!(seen(&[]), Seen::Unknown);
        assert_eq!(seen(&[own.clone(), sight("b", 50, &[("ticket status", "PENDING")], None)]), Seen::Unknown);
        assert_eq!(seen(&[other_facts]), Seen::Unknown);
        assert_eq!(seen(std::slice::from_ref(&same)), Seen::Unchanged { at: Timestamp(200) });
        let changes = vec!["ticket status: RUNNING, then COMPLETED".to_owned()];
        assert_eq!(seen(&[same, done, back]), Seen::Changed { at: Timestamp(300), changes });
        let nothing = sight("f", 600, &[(NEEDED, "no")], None);
        let changes = vec!["something to do: yes, then no".to_owned()];
        assert_eq!(seen(&[nothing]), Seen::Changed { at: Timestamp(600), changes });
        let touched = sight("g", 700, &[], Some(650));
        let changes = vec!["touched by a live run at 1970-01-01T00:00:00Z".to_owned()];
        assert_eq!(seen(&[touched]), Seen::Changed { at: Timestamp(700), changes });
    }
}
