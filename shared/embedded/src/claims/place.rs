//! Where the row of a claim is.

use heal_runtime::port::ClaimKey;
use rusqlite::{Connection, OptionalExtension as _};

use crate::error::JobError;

/// The columns that a claim is found by. The claims of one run lie side by side, and those of runs of one time near each other.
pub(super) struct Place<'a> {
    /// The number of the attempt's run; 0 if there is no such run.
    pub run_no: i64,
    /// The attempt's name without its run's; with it if there is no such run.
    pub attempt: &'a str,
    pub action: &'a str,
}

pub(super) fn find<'a>(connection: &Connection, key: &'a ClaimKey) -> Result<Place<'a>, JobError> {
    let whole = Place { run_no: 0, attempt: &key.attempt, action: &key.action };
    let Some((run_id, attempt)) = split(&key.attempt) else { return Ok(whole) };
    let mut select = connection.prepare_cached("SELECT no FROM run WHERE run_id = ?1")?;
    let run_no = select.query_row([run_id], |row| row.get(0)).optional()?;
    Ok(run_no.map_or(whole, |run_no| Place { run_no, attempt, action: &key.action }))
}

/// The run's id, and the rest: with the start of a run that a request named, since another run may have had its id.
fn split(attempt: &str) -> Option<(&str, &str)> {
    let (run, rest) = attempt.split_once('/')?;
    // No id of a run has this character.
    let Some((run_id, _)) = run.split_once('@') else { return Some((run, rest)) };
    Some((run_id, attempt.get(run_id.len()..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_named_run_stays_with_the_attempt() {
        assert_eq!(split("run-1/step[3]/2"), Some(("run-1", "step[3]/2")));
        assert_eq!(split("run-1@17/step/2"), Some(("run-1", "@17/step/2")));
        assert_eq!(split("told"), None);
        assert!(!heal_engine::RunId::is_legal("run@1"));
    }
}
