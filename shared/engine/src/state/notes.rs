//! Warnings and follow-ups of a run: the first ones kept, all of them counted.

use crate::limit;
use crate::message::cut;

/// A bounded list of sentences.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Notes {
    kept: Vec<String>,
    total: usize,
}

impl Notes {
    pub(crate) fn add(&mut self, mut note: String) {
        if self.kept.contains(&note) {
            return;
        }
        self.total += 1;
        if self.kept.len() < limit::NOTES {
            cut(&mut note, limit::TEXT_BYTES);
            self.kept.push(note);
        }
    }

    /// The notes in order, and where some are missing one more that says how many.
    pub fn to_vec(&self) -> Vec<String> {
        let missing = self.total - self.kept.len();
        let rest = (missing > 0).then(|| format!("… and {missing} more, see the run's log"));
        self.kept.iter().cloned().chain(rest).collect()
    }

    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
