//! "Did you mean": the known name that a misspelled one probably stands for.

/// Longer words get no suggestion: the comparison is quadratic in their length.
pub const WORD_BYTES: usize = 48;
/// Names that one word is compared with, at most: a file can have thousands of wrong names and thousands of right ones.
pub const COMPARED: usize = 256;

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
    let letters = letters(&lower);
    candidates
        .into_iter()
        .filter(|candidate| *candidate != word && candidate.len().abs_diff(word.len()) <= furthest)
        // Cheap, and true of almost every other name: each edit changes two letters at most.
        .filter(|candidate| differing(&letters, &self::letters(candidate)) <= 2 * furthest)
        .take(COMPARED)
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= furthest)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How often each letter occurs, without regard to case; other characters share their low bits.
fn letters(word: &str) -> [u8; 32] {
    let mut counts = [0_u8; 32];
    for byte in word.bytes() {
        if let Some(count) = counts.get_mut(usize::from(byte & 31)) {
            *count = count.saturating_add(1);
        }
    }
    counts
}

fn differing(one: &[u8; 32], other: &[u8; 32]) -> usize {
    one.iter().zip(other).map(|(one, other)| usize::from(one.abs_diff(*other))).sum()
}

#[cfg(test)]
mod tests {
    use super::{COMPARED, WORD_BYTES, closest, near};

    #[test]
    fn a_word_is_compared_with_few_names_and_a_long_one_with_none() {
        // Anagrams of each other, each as near as can be.
        let anagrams: Vec<String> =
            (0..2 * COMPARED).map(|index| format!("abcdefgh{}", "x".repeat(index % 2 + 1))).collect();
        let seen = std::cell::Cell::new(0);
        let names = anagrams.iter().map(|name| {
            seen.set(seen.get() + 1);
            name.as_str()
        });
        assert!(closest("abcdefhgx", names).is_some());
        assert!(seen.get() <= COMPARED + 1, "{}", seen.get());
        let long = "x".repeat(WORD_BYTES + 1);
        assert_eq!(closest(&long, ["x".repeat(WORD_BYTES).as_str()]), None);
    }

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

    #[test]
    fn a_word_may_differ_by_a_third_of_its_letters_and_by_three() {
        assert_eq!(closest("abcdefghi", ["abcdefxyz"]), Some("abcdefxyz"));
        assert_eq!(closest("abcdefghijklm", ["abcdefghiwxyz"]), None);
        assert_eq!(closest("cat", ["dog"]), None);
        assert_eq!(closest("cat", ["cut"]), Some("cut"));
        let longest = "abcdefgh".repeat(WORD_BYTES / 8);
        assert_eq!(closest(&longest, [format!("{longest}i").as_str()]), Some(format!("{longest}i").as_str()));
    }

    #[test]
    fn a_word_is_no_suggestion_for_itself() {
        assert_eq!(closest("needs", ["needs"]), None);
        assert_eq!(closest("needs", ["needs", "need"]), Some("need"));
    }

    #[test]
    fn names_of_other_letters_do_not_count_among_those_that_are_compared() {
        let others = vec!["zzzzzzzzz"; 2 * COMPARED];
        assert_eq!(closest("condtion", others.into_iter().chain(["condition"])), Some("condition"));
    }
}
