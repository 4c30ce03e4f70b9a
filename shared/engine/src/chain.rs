//! The audit chain of a run: each commit carries a hash over the chain before it and over its own text as it is stored.
//!
//! The hash is over the stored text and not over what a build reads from it. So a build that does not know a field verifies the chain all the
//! same, and a text that one byte was changed in no longer fits, whether it can still be read or not.

use serde::Serialize;

use crate::event::{Commit, Event};
use crate::format;
use crate::id::{Digest, RunId, Seq};
use crate::time::Timestamp;

/// A commit as its store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StoredCommit {
    /// The run that the events belong to.
    pub run_id: RunId,
    /// Sequence number of the first event.
    pub first_seq: Seq,
    /// Names the input that caused the events.
    pub cause_id: String,
    /// When the events happened.
    pub at: Timestamp,
    /// The stored text of the events, byte for byte as [`format::encode`] wrote it.
    pub events: String,
    /// The chain that is stored with the commit; `None` if an older build wrote it.
    pub chain: Option<Digest>,
}

/// A log whose chain fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// Number of commits.
    pub commits: usize,
    /// Number of commits at the log's start that an older build wrote without a chain. Nothing vouches for them.
    pub unchained: usize,
    /// The chain of the last commit; `None` if no commit has one.
    pub chain: Option<Digest>,
}

/// The first commit of a log that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// The log does not start with its first event.
    #[error("run {run_id}: the log starts at sequence number {observed}, expected 1: its first commits are missing")]
    Start {
        /// The run.
        run_id: RunId,
        /// Sequence number of the first event that is stored.
        observed: Seq,
    },
    /// The commit was changed, or one before it was removed.
    #[error(
        "run {run_id}, commit at sequence number {seq}: its chain is {observed}, expected {expected}; \
         the commit was changed after it was written, or one before it was removed"
    )]
    Link {
        /// The run.
        run_id: RunId,
        /// The commit's `first_seq`.
        seq: Seq,
        /// The chain that is stored with the commit.
        observed: Digest,
        /// The chain that follows from the stored texts.
        expected: Digest,
    },
    /// An earlier commit has a chain, this one has none.
    #[error(
        "run {run_id}, commit at sequence number {seq}: it has no chain although an earlier commit has one; \
         an older build wrote it, or its chain was removed"
    )]
    Unchained {
        /// The run.
        run_id: RunId,
        /// The commit's `first_seq`.
        seq: Seq,
    },
}

/// How a run ended, as far as the head of its day needs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct RunEnd {
    /// When the commit that ended the run happened.
    pub at: Timestamp,
    /// The run.
    pub run_id: RunId,
    /// The digest of the log up to that commit; see [`digest`].
    pub chain: Digest,
}

impl Commit {
    /// The commit with its chain. `previous` is the newest chain of the run's earlier commits; see [`last`].
    #[must_use]
    pub fn chained(self, previous: Option<&Digest>) -> Self {
        let chain = StoredCommit::from(&self).link(previous);
        Self { chain: Some(chain), ..self }
    }
}

impl From<&Commit> for StoredCommit {
    /// The commit as every store writes it.
    fn from(commit: &Commit) -> Self {
        Self {
            run_id: commit.run_id.clone(),
            first_seq: commit.first_seq,
            cause_id: commit.cause_id.clone(),
            at: commit.at,
            events: format::encode(&commit.events),
            chain: commit.chain.clone(),
        }
    }
}

impl StoredCommit {
    /// The chain of this commit: SHA-256 of `[previous,run_id,first_seq,cause_id,at]` as JSON, a line break, and the stored events.
    pub fn link(&self, previous: Option<&Digest>) -> Digest {
        let Self { run_id, first_seq, cause_id, at, events, chain: _ } = self;
        // Texts and numbers cannot fail to serialize.
        let mut text = serde_json::to_string(&(previous, run_id, first_seq, cause_id, at)).unwrap_or_default();
        text.push('\n');
        text.push_str(events);
        Digest::of(text.as_bytes())
    }

    /// Whether this commit ended its run. A text that this build cannot read ends nothing.
    fn is_end(&self) -> bool {
        let events: Vec<Event> = format::decode(&self.events).unwrap_or_default();
        events.iter().any(|event| matches!(event, Event::RunEnded { .. } | Event::IncidentRejected { .. }))
    }
}

/// The newest chain of a log: that of the last commit that has one.
pub fn last(commits: &[Commit]) -> Option<&Digest> {
    commits.iter().rev().find_map(|commit| commit.chain.as_ref())
}

/// Recomputes the chain of a whole log.
///
/// # Errors
/// The first commit that does not fit.
///
/// # Caveats
/// A chain that was recomputed together with the text fits, and so does a log whose last commits were removed. Both change [`digest`], and
/// with it the head of the day.
pub fn verify(commits: &[StoredCommit]) -> Result<Verified, Broken> {
    if let Some(first) = commits.first().filter(|first| first.first_seq != 1) {
        return Err(Broken::Start { run_id: first.run_id.clone(), observed: first.first_seq });
    }
    let unchained = commits.iter().take_while(|commit| commit.chain.is_none()).count();
    let mut previous = None;
    for commit in commits.iter().skip(unchained) {
        let (run_id, seq) = (commit.run_id.clone(), commit.first_seq);
        let Some(observed) = &commit.chain else { return Err(Broken::Unchained { run_id, seq }) };
        let expected = commit.link(previous);
        if *observed != expected {
            return Err(Broken::Link { run_id, seq, observed: observed.clone(), expected });
        }
        previous = Some(observed);
    }
    Ok(Verified { commits: commits.len(), unchained, chain: previous.cloned() })
}

/// The digest of a whole log, from its stored texts alone: the chain of the last commit if all commits are chained. `None` for an empty log.
pub fn digest(commits: &[StoredCommit]) -> Option<Digest> {
    commits.iter().fold(None, |previous, commit| Some(commit.link(previous.as_ref())))
}

/// How the run of this log ended; `None` if it has not. What people add to an ended run does not count.
pub fn end(commits: &[StoredCommit]) -> Option<RunEnd> {
    let last = commits.iter().position(StoredCommit::is_end)?;
    let until = commits.get(..=last)?;
    let commit = until.last()?;
    Some(RunEnd { at: commit.at, run_id: commit.run_id.clone(), chain: digest(until)? })
}

/// The head of a day: SHA-256 of `[at,run_id,chain]` as JSON of each run that ended on it, by end and then by id, one a line.
pub fn head_of_day(mut ends: Vec<RunEnd>) -> Digest {
    ends.sort();
    let line = |end: &RunEnd| serde_json::to_string(&(&end.at, &end.run_id, &end.chain)).unwrap_or_default();
    let lines: Vec<String> = ends.iter().map(line).collect();
    Digest::of(lines.join("\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::RunOutcome;

    fn commit(first_seq: Seq, event: Event) -> Commit {
        let (run_id, cause_id) = (RunId::new("run-1"), format!("cause\n{first_seq}"));
        Commit { run_id, first_seq, cause_id, at: Timestamp(first_seq * 10), events: vec![event], chain: None }
    }

    fn joined(incident_id: &str) -> Event {
        Event::IncidentJoined { incident_id: incident_id.to_owned() }
    }

    /// Three commits, the second of which ends the run; the first `unchained` are of an older build.
    fn log(unchained: usize) -> Vec<StoredCommit> {
        let end = Event::RunEnded { outcome: RunOutcome::Healed, reason: None };
        let mut commits: Vec<Commit> = Vec::new();
        for (index, event) in [joined("a"), end, joined("ü")].into_iter().enumerate() {
            let next = commit(index as Seq + 1, event);
            let next = if index < unchained { next } else { next.chained(last(&commits)) };
            commits.push(next);
        }
        commits.iter().map(StoredCommit::from).collect()
    }

    #[test]
    fn a_whole_log_verifies_and_its_last_chain_is_its_digest() {
        let log = log(0);
        let verified = verify(&log).unwrap();
        assert_eq!(verified, Verified { commits: 3, unchained: 0, chain: digest(&log) });
        assert_eq!(verify(&[]), Ok(Verified { commits: 0, unchained: 0, chain: None }));
    }

    #[test]
    fn every_changed_byte_of_every_text_is_found_at_its_commit() {
        for index in 0..3 {
            for byte in 0..log(0)[index].events.len() {
                let mut log = log(0);
                let mut bytes = std::mem::take(&mut log[index].events).into_bytes();
                bytes[byte] ^= 1;
                let Ok(changed) = String::from_utf8(bytes) else { continue };
                log[index].events = changed;
                let Err(Broken::Link { seq, .. }) = verify(&log) else { panic!("commit {index}, byte {byte}") };
                assert_eq!(seq, index as Seq + 1);
            }
        }
    }

    #[test]
    fn a_changed_cause_time_or_number_and_a_missing_commit_are_found() {
        let changes: [fn(&mut Vec<StoredCommit>); 4] = [
            |log| log[1].cause_id.push('x'),
            |log| log[1].at = Timestamp(7),
            |log| log[1].first_seq = 3,
            |log| drop(log.remove(0)),
        ];
        for change in changes {
            let mut log = log(0);
            change(&mut log);
            assert!(verify(&log).is_err(), "{log:#?}");
        }
        let mut log = log(0);
        log.remove(1);
        assert!(matches!(verify(&log), Err(Broken::Link { seq: 3, .. })));
    }

    #[test]
    fn commits_of_an_older_build_are_counted_before_the_chain_and_found_inside_it() {
        assert_eq!(verify(&log(2)).map(|verified| (verified.commits, verified.unchained)), Ok((3, 2)));
        assert_eq!(verify(&log(3)).map(|verified| verified.chain), Ok(None));
        let mut stripped = log(0);
        stripped[1].chain = None;
        assert_eq!(verify(&stripped), Err(Broken::Unchained { run_id: RunId::new("run-1"), seq: 2 }));
    }

    #[test]
    fn the_end_of_a_run_stays_the_same_when_a_person_adds_to_it() {
        let log = log(0);
        let ended = end(&log).unwrap();
        assert_eq!((ended.at, &ended.chain), (Timestamp(20), log[1].chain.as_ref().unwrap()));
        assert_eq!(end(&log[..2]), Some(ended));
        assert_eq!(end(&log[..1]), None);
    }

    #[test]
    fn the_head_of_a_day_depends_on_every_run_and_not_on_the_order_of_the_listing() {
        let end =
            |run: &str, at| RunEnd { at: Timestamp(at), run_id: RunId::new(run), chain: Digest::of(run.as_bytes()) };
        let head = head_of_day(vec![end("b", 2), end("a", 1)]);
        assert_eq!(head, head_of_day(vec![end("a", 1), end("b", 2)]));
        assert_ne!(head, head_of_day(vec![end("a", 1)]));
        assert_ne!(head, head_of_day(vec![end("a", 1), end("b", 3)]));
    }
}
