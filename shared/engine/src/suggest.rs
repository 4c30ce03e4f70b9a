//! "Did you mean": the known name that a misspelled one probably stands for.

/// Longer words get no suggestion: the comparison is quadratic in their length.
const WORD_BYTES: usize = 64;

/// The candidate that differs least from `word`, ignoring case: by at most a third of its letters, and by three at most.
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, candidates, (word.len() / 3).clamp(1, 3))
}

/// As [`closest`], but only where `word` is almost certainly a misspelling: one letter of four, two at most.
pub fn near<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    nearest(word, candidates, (word.len() / 4).min(2))
}

fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>, furthest: usize) -> Option<&'a str> {
    if word.len() > WORD_BYTES || furthest == 0 {
        return None;
    }
    let lower = word.to_lowercase();
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len().abs_diff(word.len()) <= furthest)
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= furthest)
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::{closest, near};

    #[test]
    fn the_nearest_candidate_is_meant() {
        assert_eq!(closest("condtion", ["conditions", "condition"]), Some("condition"));
        assert_eq!(closest("Needs", ["needs"]), Some("needs"));
        assert_eq!(closest("banana", ["condition"]), None);
    }

    #[test]
    fn short_words_have_to_be_nearer() {
        assert_eq!(near("status", ["state"]), None);
        assert_eq!(near("tikcet_id", ["ticket_id"]), Some("ticket_id"));
        assert_eq!(near("a", ["b"]), None);
    }
}
