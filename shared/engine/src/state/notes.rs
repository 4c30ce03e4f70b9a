//! What a run's steps leave to say, within bounds.

use crate::limit;
use crate::message::cut;

/// The first [`limit::NOTES`] different sentences of a list, and the number of the others.
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

    /// The notes in order; if some were dropped, the last one says how many.
    pub fn to_vec(&self) -> Vec<String> {
        let dropped = self.total - self.kept.len();
        let rest = (dropped > 0).then(|| format!("… and {dropped} more, see the run's log"));
        self.kept.iter().cloned().chain(rest).collect()
    }

    /// Whether there is no note.
    pub fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }
}
