//! How severe an incident is. Producers write any word in any case; the engine knows five of them.

/// A severity that the engine knows, the most severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// `CRITICAL`.
    Critical,
    /// `HIGH`.
    High,
    /// `MEDIUM`.
    Medium,
    /// `LOW`.
    Low,
    /// `INFO`.
    Info,
}

impl Severity {
    /// Every severity, the most severe first.
    pub const ALL: [Self; 5] = [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Info];

    /// The severity with this word, in any case; `None` for an unknown word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|severity| severity.as_str().eq_ignore_ascii_case(word.trim()))
    }

    /// The severity's word in metrics: lower case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Info => "info",
        }
    }

    /// Sorts what waits for a person: the most severe first, an unknown word or none last.
    pub fn rank(word: Option<&str>) -> usize {
        let known = word.and_then(Self::parse);
        known.and_then(|known| Self::ALL.iter().position(|severity| *severity == known)).unwrap_or(Self::ALL.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_any_case_are_known_and_sort_the_most_severe_first() {
        let mut words = [None, Some("info"), Some("Critical"), Some("HIGH"), Some("sev-2"), Some(" medium ")];
        words.sort_by_key(|word| Severity::rank(*word));
        assert_eq!(words, [Some("Critical"), Some("HIGH"), Some(" medium "), Some("info"), None, Some("sev-2")]);
        assert_eq!(Severity::parse("sev-2"), None);
    }
}
