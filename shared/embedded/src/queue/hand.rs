//! The record of the messages in hand: which ones a process held when it died.
//!
//! A message whose handling kills its process would come back for ever. So a small file beside the state file names what is in hand. It is
//! written without a sync: a killed process leaves what it wrote, and a machine that loses its power has not died of a message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::io;
use std::path::Path;

use record::Record;

use crate::limit;

mod deaths;
mod record;

pub(crate) use deaths::Deaths;

/// The byte that an aborting process appends.
const ABORTED: char = 'X';

/// What the messages in hand are to the next life of the process.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// `None` if no record is kept: in memory, in a process that only sends, and after the file could not be written.
    record: Option<Record>,
    held: BTreeSet<i64>,
    /// Messages without a death are not listed.
    deaths: BTreeMap<i64, Deaths>,
}

/// What an earlier life left in hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survivors {
    /// Messages that were in hand.
    pub held: BTreeSet<i64>,
    /// The deaths of each message that has any; those in hand are among them.
    pub deaths: BTreeMap<i64, Deaths>,
}

impl Hand {
    /// Reads the record at `path`, counts a death of each message in hand, and starts the record of this life.
    pub(super) fn open(&mut self, path: &Path) -> Survivors {
        // A FIFO would be read for ever, and a link could lead to one.
        let is_file = std::fs::symlink_metadata(path).is_ok_and(|found| found.is_file());
        let text = if is_file { std::fs::read_to_string(path).unwrap_or_default() } else { String::new() };
        // Other threads may have written after it.
        let has_aborted = text.contains(ABORTED);
        let (held, mut deaths) = read(&text.replace(ABORTED, ""));
        for id in &held {
            deaths.entry(*id).or_default().count(has_aborted);
        }
        self.deaths.clone_from(&deaths);
        self.start(path);
        Survivors { held, deaths }
    }

    pub(super) fn suspects(&self) -> BTreeSet<i64> {
        self.deaths.iter().filter(|(_, deaths)| deaths.is_suspect()).map(|(id, _)| *id).collect()
    }

    pub(super) fn take(&mut self, ids: &[i64]) {
        self.held.extend(ids);
        self.note('+', ids.iter().copied());
    }

    /// The messages were handled without a death.
    pub(super) fn settle(&mut self, ids: impl Iterator<Item = i64> + Clone) {
        for id in ids.clone() {
            self.held.remove(&id);
            self.deaths.remove(&id);
        }
        self.note('x', ids);
    }

    pub(super) fn put_back(&mut self, ids: impl Iterator<Item = i64> + Clone) {
        for id in ids.clone() {
            self.held.remove(&id);
        }
        self.note('-', ids);
    }

    fn note(&mut self, sign: char, ids: impl Iterator<Item = i64>) {
        let Some(record) = &mut self.record else { return };
        let mut lines = String::new();
        for id in ids {
            // Writing to a text does not fail.
            let _ = writeln!(lines, "{sign}{id}");
        }
        if let Err(error) = record.append(&lines) {
            report(record.path(), &error);
            self.record = None;
        } else if record.written > limit::HAND_BYTES {
            let path = record.path().to_owned();
            self.start(&path);
        }
    }

    /// Writes the record anew, with what is known now.
    fn start(&mut self, path: &Path) {
        let mut text = String::new();
        for (id, Deaths { aborts, kills }) in &self.deaths {
            let _ = writeln!(text, "d{id} {aborts} {kills}");
        }
        for id in &self.held {
            let _ = writeln!(text, "+{id}");
        }
        self.record = match Record::create(path, &text) {
            Ok(record) => Some(record),
            Err(error) => {
                report(path, &error);
                None
            }
        };
    }
}

impl Drop for Hand {
    /// A process that ends by itself has not died: what it leaves in hand is no suspect.
    fn drop(&mut self) {
        self.held.clear();
        if let Some(record) = self.record.take() {
            if self.deaths.is_empty() {
                record.remove();
            } else {
                self.start(record.path());
            }
        }
    }
}

fn report(path: &Path, error: &io::Error) {
    tracing::warn!(
        path = %path.display(),
        %error,
        "failed to record the messages in hand: deaths are not counted until the next start"
    );
}

/// The messages in hand, and the deaths of each message. A line that a dying process cut off, or that is none of ours, says nothing.
fn read(text: &str) -> (BTreeSet<i64>, BTreeMap<i64, Deaths>) {
    let (mut held, mut deaths) = (BTreeSet::new(), BTreeMap::new());
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let mut characters = line.chars();
        match (characters.next(), characters.as_str()) {
            (Some('+'), id) => drop(id.parse().map(|id| held.insert(id))),
            (Some('-'), id) => drop(id.parse().map(|id: i64| held.remove(&id))),
            (Some('x'), id) => drop(id.parse().map(|id: i64| (held.remove(&id), deaths.remove(&id)))),
            (Some('d'), rest) => deaths.extend(counted(rest)),
            (Some(_) | None, _) => {}
        }
    }
    (held, deaths)
}

fn counted(text: &str) -> Option<(i64, Deaths)> {
    let mut words = text.split(' ');
    let (id, aborts, kills) = (words.next()?, words.next()?, words.next()?);
    Some((id.parse().ok()?, Deaths { aborts: aborts.parse().ok()?, kills: kills.parse().ok()? }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &Path) -> (Hand, Survivors) {
        let mut hand = Hand::default();
        let survivors = hand.open(path);
        (hand, survivors)
    }

    /// As if the process died: nothing runs.
    fn die(hand: Hand) {
        std::mem::forget(hand);
    }

    /// As if it aborted.
    fn abort(hand: Hand, path: &Path) {
        die(hand);
        std::fs::write(path, std::fs::read_to_string(path).unwrap() + "X").unwrap();
    }

    #[test]
    fn each_death_counts_and_a_success_clears_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db.hand");
        for aborts in 0..limit::MAX_ABORTS {
            let (mut hand, survivors) = opened(&path);
            assert_eq!(survivors.deaths.get(&7).copied().unwrap_or_default(), Deaths { aborts, kills: 0 });
            assert_eq!(hand.suspects().contains(&7), aborts >= limit::SUSPECT_ABORTS, "{aborts}");
            // 9 dies with 7 each time, and is handled afterwards.
            hand.settle([9].into_iter());
            hand.take(&[7, 9]);
            abort(hand, &path);
        }
        let deaths = |aborts| Deaths { aborts, kills: 0 };
        let expected = BTreeMap::from([(7, deaths(limit::MAX_ABORTS)), (9, deaths(1))]);
        assert!(expected[&7].verdict().is_some() && expected[&9].verdict().is_none());
        let (hand, survivors) = opened(&path);
        assert_eq!(survivors, Survivors { held: BTreeSet::from([7, 9]), deaths: expected.clone() });
        drop(hand);
        // The end of a process by itself is no death, and forgets none.
        assert_eq!(opened(&path).1, Survivors { held: BTreeSet::new(), deaths: expected });
    }

    #[test]
    fn a_kill_from_outside_counts_for_itself_and_far_less() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db.hand");
        for kills in 0..limit::MAX_KILLS {
            let (mut hand, survivors) = opened(&path);
            let deaths = survivors.deaths.get(&7).copied().unwrap_or_default();
            assert_eq!((deaths, deaths.verdict()), (Deaths { aborts: 0, kills }, None));
            assert_eq!(hand.suspects().contains(&7), kills >= limit::SUSPECT_KILLS, "{kills}");
            hand.take(&[7]);
            die(hand);
        }
        assert!(opened(&path).1.deaths[&7].verdict().is_some());
    }

    #[test]
    fn what_went_back_to_its_queue_is_not_in_hand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db.hand");
        let (mut hand, _) = opened(&path);
        hand.take(&[1, 2, 3]);
        hand.put_back([1].into_iter());
        hand.settle([2].into_iter());
        die(hand);
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "+4\n?\n+5").unwrap();
        // The last line was cut off.
        assert_eq!(opened(&path).1.held, BTreeSet::from([3, 4]));
    }

    #[test]
    fn the_record_is_bounded_and_goes_with_its_process() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db.hand");
        let (mut hand, _) = opened(&path);
        hand.take(&[1]);
        for id in 2..30_000 {
            hand.take(&[id]);
            hand.settle([id].into_iter());
        }
        assert!(std::fs::metadata(&path).unwrap().len() <= limit::HAND_BYTES + 100);
        die(hand);
        let (hand, survivors) = opened(&path);
        assert_eq!(survivors.held, BTreeSet::from([1]));
        drop(hand);
        let (mut hand, _) = opened(&path);
        hand.settle([1].into_iter());
        drop(hand);
        assert!(!path.exists(), "nothing is left to remember");
    }

    #[cfg(unix)]
    #[test]
    fn a_link_in_place_of_the_record_is_replaced_and_its_target_stays() {
        let folder = tempfile::tempdir().unwrap();
        let (path, victim) = (folder.path().join("heal.db.hand"), folder.path().join("victim"));
        std::fs::write(&victim, "precious").unwrap();
        std::os::unix::fs::symlink(&victim, &path).unwrap();
        let (mut hand, _) = opened(&path);
        hand.take(&[1]);
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "+1\n");
    }
}
