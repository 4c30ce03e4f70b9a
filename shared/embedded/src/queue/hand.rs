//! The record of the messages in hand: which ones a process held when it died.
//!
//! A message whose handling kills its process would come back for ever. So a small file beside the state file names what is in hand. It is
//! written without a sync: a killed process leaves what it wrote, and a machine that loses its power has not died of a message.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::leases::is_suspect;
use crate::limit;

/// What the messages in hand are to the next life of the process.
#[derive(Debug, Default)]
pub(super) struct Hand {
    /// `None` if no record is kept: in memory, in a process that only sends, and after the file could not be written.
    file: Option<(PathBuf, File)>,
    /// Bytes in the file.
    written: u64,
    held: BTreeSet<i64>,
    /// How often a process died with the message in hand; messages without a death are not listed.
    deaths: BTreeMap<i64, u32>,
}

/// What an earlier life left in hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Survivors {
    /// Messages that were in hand.
    pub held: BTreeSet<i64>,
    /// The deaths of each message that has any; those in hand are among them.
    pub deaths: BTreeMap<i64, u32>,
}

impl Hand {
    /// Reads the record at `path`, counts a death of each message in hand, and starts the record of this life.
    pub(super) fn open(&mut self, path: PathBuf) -> Survivors {
        // A FIFO would be read for ever, and a link could lead to one.
        let is_file = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_file());
        let text = if is_file { std::fs::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let (held, mut deaths) = read(&text);
        for id in &held {
            *deaths.entry(*id).or_default() += 1;
        }
        self.deaths.clone_from(&deaths);
        self.start(path);
        Survivors { held, deaths }
    }

    pub(super) fn suspects(&self) -> BTreeSet<i64> {
        self.deaths.iter().filter(|(_, deaths)| is_suspect(**deaths)).map(|(id, _)| *id).collect()
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
        let Some((path, file)) = &mut self.file else { return };
        let mut lines = String::new();
        for id in ids {
            // Writing to a text does not fail.
            let _ = writeln!(lines, "{sign}{id}");
        }
        if let Err(error) = file.write_all(lines.as_bytes()) {
            report(path, &error);
            self.file = None;
            return;
        }
        self.written += lines.len() as u64;
        if self.written > limit::HAND_BYTES {
            let path = path.clone();
            self.start(path);
        }
    }

    /// Writes the record anew, with what is known now. A process that dies meanwhile leaves the old one.
    fn start(&mut self, path: PathBuf) {
        let mut text = String::new();
        for (id, deaths) in &self.deaths {
            let _ = writeln!(text, "d{id} {deaths}");
        }
        for id in &self.held {
            let _ = writeln!(text, "+{id}");
        }
        self.written = text.len() as u64;
        self.file = match replace(&path, &text) {
            Ok(file) => Some((path, file)),
            Err(error) => {
                report(&path, &error);
                None
            }
        };
    }
}

impl Drop for Hand {
    /// A process that ends by itself has not died: what it leaves in hand is no suspect.
    fn drop(&mut self) {
        self.held.clear();
        if let Some((path, _)) = self.file.take() {
            if self.deaths.is_empty() {
                // A file that stays says nothing more than that these messages were in hand.
                let _ = std::fs::remove_file(path);
            } else {
                self.start(path);
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

/// A new file under the record's name, readable by its owner alone. It never follows a link: the name is taken by renaming.
fn replace(path: &Path, text: &str) -> io::Result<File> {
    let mut partial = path.as_os_str().to_owned();
    partial.push(".new");
    match std::fs::remove_file(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial)?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&partial, path)?;
    Ok(file)
}

/// The messages in hand, and the deaths of each message. A line that a dying process cut off, or that is none of ours, says nothing.
fn read(text: &str) -> (BTreeSet<i64>, BTreeMap<i64, u32>) {
    let (mut held, mut deaths) = (BTreeSet::new(), BTreeMap::new());
    for line in text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')) {
        let mut characters = line.chars();
        match (characters.next(), characters.as_str()) {
            (Some('+'), id) => drop(id.parse().map(|id| held.insert(id))),
            (Some('-'), id) => drop(id.parse().map(|id: i64| held.remove(&id))),
            (Some('x'), id) => drop(id.parse().map(|id: i64| (held.remove(&id), deaths.remove(&id)))),
            (Some('d'), rest) => {
                let counted = |(id, deaths): (&str, &str)| Some((id.parse::<i64>().ok()?, deaths.parse::<u32>().ok()?));
                deaths.extend(rest.split_once(' ').and_then(counted));
            }
            (Some(_) | None, _) => {}
        }
    }
    (held, deaths)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opened(path: &Path) -> (Hand, Survivors) {
        let mut hand = Hand::default();
        let survivors = hand.open(path.to_owned());
        (hand, survivors)
    }

    /// As if the process died: nothing runs.
    fn die(hand: Hand) {
        std::mem::forget(hand);
    }

    #[test]
    fn each_death_counts_and_a_success_clears_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heal.db.hand");
        for deaths in 0..limit::MAX_DEATHS {
            let (mut hand, survivors) = opened(&path);
            assert_eq!(survivors.deaths.get(&7).copied().unwrap_or_default(), deaths);
            assert_eq!(hand.suspects().contains(&7), deaths >= limit::SUSPECT_DEATHS, "{deaths}");
            // 9 dies with 7 each time, and is handled afterwards.
            hand.settle([9].into_iter());
            hand.take(&[7, 9]);
            die(hand);
        }
        let expected = BTreeMap::from([(7, limit::MAX_DEATHS), (9, 1)]);
        let (hand, survivors) = opened(&path);
        assert_eq!(survivors, Survivors { held: BTreeSet::from([7, 9]), deaths: expected.clone() });
        drop(hand);
        // The end of a process by itself is no death, and forgets none.
        assert_eq!(opened(&path).1, Survivors { held: BTreeSet::new(), deaths: expected });
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
