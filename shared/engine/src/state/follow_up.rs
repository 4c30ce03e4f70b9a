//! What a run leaves for a person: one entry each, with an id by which the person reports it done.

use std::collections::BTreeMap;

use crate::id::{RunId, short_hash};
use crate::limit;
use crate::message::cut;
use crate::time::Timestamp;

/// The id of the only entry of an escalated run. Reporting it as done acknowledges the escalation.
pub const ESCALATION: &str = "escalation";
/// The id of the entry that stands for those over [`limit::NOTES`].
const REST: &str = "rest";
/// Hexadecimal digits of an entry's id.
const ID_DIGITS: usize = 8;

/// The first [`limit::NOTES`] different follow-ups of a run, the number of the others, and which of them are done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FollowUps {
    kept: Vec<FollowUp>,
    dropped: usize,
    /// When the first entry was dropped.
    dropped_at: Timestamp,
    done: BTreeMap<String, Done>,
}

/// One follow-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FollowUp {
    /// Unique in its run: derived from the text, so that it stays the same when a later build folds the log.
    pub id: String,
    /// What is to be done, in one sentence.
    pub text: String,
    /// The step that left it; `None` if the run as a whole did.
    pub step: Option<String>,
    /// When the run left it.
    pub at: Timestamp,
}

/// Who did a follow-up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// When it was reported as done.
    pub at: Timestamp,
    /// Who reported it.
    pub by: String,
    /// What this person added.
    pub note: Option<String>,
}

impl FollowUps {
    /// Adds a follow-up, unless the run has it already.
    pub(crate) fn add(&mut self, step: Option<String>, mut text: String, at: Timestamp) {
        cut(&mut text, limit::TEXT_BYTES);
        if self.kept.iter().any(|entry| entry.text == text) {
            return;
        }
        if self.kept.len() < limit::NOTES {
            let id = self.free_id(&text);
            self.kept.push(FollowUp { id, text, step, at });
        } else {
            if self.dropped == 0 {
                self.dropped_at = at;
            }
            self.dropped += 1;
        }
    }

    /// Adds a follow-up under an id that does not depend on its text.
    pub(crate) fn add_as(&mut self, id: &str, mut text: String, at: Timestamp) {
        cut(&mut text, limit::TEXT_BYTES);
        self.kept.push(FollowUp { id: id.to_owned(), text, step: None, at });
    }

    fn free_id(&self, text: &str) -> String {
        let id = |salt: usize| {
            let mut id = short_hash(&format!("{text}\n{salt}"));
            id.truncate(ID_DIGITS);
            id
        };
        // At most one salt a kept entry is taken.
        let is_free = |id: &String| self.kept.iter().all(|entry| entry.id != *id);
        (0..=self.kept.len()).map(id).find(is_free).unwrap_or_default()
    }

    pub(crate) fn mark_done(&mut self, id: &str, done: Done) {
        self.done.entry(id.to_owned()).or_insert(done);
    }

    /// The entries in order; if some were dropped, the last one says how many.
    pub fn entries(&self) -> Vec<FollowUp> {
        let rest = (self.dropped > 0).then(|| FollowUp {
            id: REST.to_owned(),
            text: format!("… and {} more, see the run's log", self.dropped),
            step: None,
            at: self.dropped_at,
        });
        self.kept.iter().cloned().chain(rest).collect()
    }

    /// The texts of [`FollowUps::entries`].
    pub fn to_vec(&self) -> Vec<String> {
        self.entries().into_iter().map(|entry| entry.text).collect()
    }

    /// Who did the entry `id`; `None` while it is open.
    pub fn done(&self, id: &str) -> Option<&Done> {
        self.done.get(id)
    }

    /// Whether there is an entry `id`.
    pub fn contains(&self, id: &str) -> bool {
        self.kept.iter().any(|entry| entry.id == id) || (id == REST && self.dropped > 0)
    }

    /// Entries that nobody has reported as done; those that were dropped count as one.
    pub fn open(&self) -> u32 {
        let ids = self.kept.iter().map(|entry| entry.id.as_str()).chain((self.dropped > 0).then_some(REST));
        u32::try_from(ids.filter(|id| !self.done.contains_key(*id)).count()).unwrap_or(u32::MAX)
    }

    /// Different entries added so far, the dropped ones included.
    pub(crate) const fn len(&self) -> usize {
        self.kept.len() + self.dropped
    }
}

/// The id of a follow-up over all runs: `RUN.ID`.
pub fn full_id(run_id: &RunId, id: &str) -> String {
    format!("{run_id}.{id}")
}

/// The run and the entry that [`full_id`] joined; `None` for another text.
pub fn parse_id(text: &str) -> Option<(RunId, &str)> {
    let (run_id, id) = text.rsplit_once('.')?;
    (RunId::is_legal(run_id) && !id.is_empty()).then(|| (RunId::new(run_id), id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_one_id_and_is_done_once() {
        let mut follow_ups = FollowUps::default();
        follow_ups.add(Some("check".to_owned()), "check: look".to_owned(), Timestamp(5));
        follow_ups.add(Some("check".to_owned()), "check: look".to_owned(), Timestamp(6));
        let [entry] = &follow_ups.entries()[..] else { panic!("{follow_ups:?}") };
        assert_eq!((entry.id.len(), entry.at, follow_ups.open()), (ID_DIGITS, Timestamp(5), 1));
        let done = |by: &str| Done { at: Timestamp(7), by: by.to_owned(), note: None };
        follow_ups.mark_done(&entry.id, done("ann"));
        follow_ups.mark_done(&entry.id, done("bob"));
        assert_eq!((follow_ups.open(), follow_ups.done(&entry.id)), (0, Some(&done("ann"))));
    }

    #[test]
    fn those_over_the_limit_are_one_entry_that_can_be_done() {
        let mut follow_ups = FollowUps::default();
        for number in 0..limit::NOTES {
            follow_ups.add(None, format!("do {number}"), Timestamp(1));
        }
        assert!(!follow_ups.contains(REST));
        for at in [2, 3] {
            follow_ups.add(None, format!("do more {at}"), Timestamp(at));
        }
        assert_eq!(follow_ups.len(), limit::NOTES + 2);
        assert_eq!(follow_ups.entries().last().map(|rest| rest.at), Some(Timestamp(2)));
        assert_eq!((follow_ups.entries().len(), follow_ups.open()), (limit::NOTES + 1, 201));
        assert_eq!(follow_ups.to_vec().last().unwrap(), "… and 2 more, see the run's log");
        assert!(follow_ups.contains(REST) && !follow_ups.contains("other"));
        follow_ups.mark_done(REST, Done { at: Timestamp(2), by: "ann".to_owned(), note: None });
        assert_eq!(follow_ups.open(), 200);
    }

    #[test]
    fn the_full_id_names_the_run_and_the_entry() {
        let run_id = RunId::new("a.b:c");
        assert_eq!(parse_id(&full_id(&run_id, "0a1b2c3d")), Some((run_id, "0a1b2c3d")));
        for text in ["run-1", "run-1.", ".x", "run 1.x", ""] {
            assert_eq!(parse_id(text), None, "{text}");
        }
    }
}
