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
        cut(&mut note, limit::TEXT_BYTES);
        if self.kept.contains(&note) {
            return;
        }
        self.total += 1;
        if self.kept.len() < limit::NOTES {
            self.kept.push(note);
        }
    }

    /// The notes in order; if some were dropped, the last one says how many.
    pub fn to_vec(&self) -> Vec<String> {
        let dropped = self.total - self.kept.len();
        let rest = (dropped > 0).then(|| format!("… and {dropped} more, see the run's log"));
        self.kept.iter().cloned().chain(rest).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_over_the_limit_are_counted() {
        let mut notes = Notes::default();
        (0..limit::NOTES).for_each(|number| notes.add(format!("note {number}")));
        let kept = notes.to_vec();
        assert_eq!((kept.len(), kept.last().map(String::as_str)), (limit::NOTES, Some("note 199")));
        (0..2).for_each(|number| notes.add(format!("another {number}")));
        let (last, first) = (notes.to_vec().pop(), &notes.to_vec()[..limit::NOTES]);
        assert_eq!((last.as_deref(), first), (Some("… and 2 more, see the run's log"), &kept[..]));
    }

    #[test]
    fn a_note_that_is_cut_is_kept_once() {
        let mut notes = Notes::default();
        (0..2).for_each(|_| notes.add("x".repeat(limit::TEXT_BYTES + 1)));
        assert_eq!(notes.to_vec().len(), 1);
    }
}
