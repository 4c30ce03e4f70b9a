//! What a commit adds to what its run owes, read off the events themselves.

use std::collections::BTreeMap;

use heal_engine::event::{Commit, Event};
use heal_engine::id::StepRef;
use heal_engine::turn::{self, Input};
use heal_engine::{Command, Timestamp, decide};

use crate::fixture::Run;

/// The commands that follow from the run's newest commit are those that its events call for, and no older ones.
pub fn check(run: &Run, at: Timestamp) -> Result<(), String> {
    let Some(commit) = run.commits.last() else { return Ok(()) };
    let commands = decide::since(&run.plan, &run.state, at, commit.first_seq - 1);
    // A release moves every timer of its run, those of earlier commits too.
    let release =
        (commit.first_seq..).zip(&commit.events).find(|(_, event)| matches!(event, Event::RunReleased { .. }));
    let moved = |command: &&Command| release.is_some_and(|(seq, _)| command.since() == seq);
    let observed: Vec<_> =
        commands.iter().filter(|command| !moved(command)).map(|command| (command.since(), wake(command))).collect();
    let expected =
        if run.state.held.is_some() || run.state.queued.is_some() { Vec::new() } else { called_for(commit, at) };
    if observed != expected {
        return Err(format!("owed since the last commit: expected {expected:?}, observed {observed:?}"));
    }
    commands.iter().try_for_each(|command| check_carried(run, command))
}

/// A command carries the token and the last moment to start of its event, and how many commands the run has sent, itself included.
fn check_carried(run: &Run, command: &Command) -> Result<(), String> {
    let Command::Perform { since, command, .. } = command else { return Ok(()) };
    let events = run.commits.iter().flat_map(|commit| (commit.first_seq..).zip(&commit.events));
    let authorised = events.filter_map(|(seq, event)| match event {
        Event::AttemptStarted { token, deadline, .. } | Event::AttemptReissued { token, deadline, .. } => {
            Some((seq, token, *deadline))
        }
        _ => None,
    });
    let sent = (1..).zip(authorised).find(|(_, (seq, ..))| seq == since);
    let expected = sent.map(|(sent, (_, token, deadline))| (token, deadline, sent));
    let observed = Some((&command.token, command.deadline, command.commands_sent));
    if observed == expected {
        Ok(())
    } else {
        Err(format!("carried by the command of event {since}: expected {expected:?}, observed {observed:?}"))
    }
}

/// A run that stands still owes nothing, and nobody is sent a command whose last moment to start has come.
pub fn check_now(run: &Run, at: Timestamp) -> Result<(), String> {
    let owed = run.owed(at);
    if !owed.is_empty() && (run.state.held.is_some() || run.state.queued.is_some()) {
        return Err(format!("a run that stands still owes {owed:?}"));
    }
    let is_late = |command: &&Command| match command {
        Command::Perform { command, .. } => command.deadline <= at,
        Command::Wake { .. } => false,
    };
    owed.iter().find(is_late).map_or(Ok(()), |late| Err(format!("owed at or after its last moment to start: {late:?}")))
}

/// A wake-up at the moment that the run waits for changes it, and one just before does not.
pub fn check_wake_up(run: &Run, now: Timestamp) -> Result<(), String> {
    let Some(at) = run.state.wake_at() else { return Ok(()) };
    let events_at = |at: Timestamp| {
        let turn = turn::take(&run.plan, &mut run.state.clone(), Input::Wake, at, run.entropy);
        turn.map(|turn| turn.events).map_err(|error| error.to_string())
    };
    let just_before = Timestamp(at.0.saturating_sub(1));
    if just_before >= now && !events_at(just_before)?.is_empty() {
        return Err(format!("waits for {at:?}, and a wake-up just before gave {:?}", events_at(just_before)));
    }
    match events_at(at.max(now))?.is_empty() {
        true => Err(format!("waits for {at:?}, and a wake-up then changed nothing")),
        false => Ok(()),
    }
}

fn wake(command: &Command) -> Option<Timestamp> {
    match command {
        Command::Perform { .. } => None,
        Command::Wake { at, .. } => Some(*at),
    }
}

/// The sequence numbers of the events that a command follows from, with the moment of a wake-up.
fn called_for(commit: &Commit, at: Timestamp) -> Vec<(u64, Option<Timestamp>)> {
    let mut owed: BTreeMap<StepRef, (u64, Option<Timestamp>)> = BTreeMap::new();
    for (seq, event) in (commit.first_seq..).zip(&commit.events) {
        match event {
            Event::AttemptStarted { step, deadline, .. } | Event::AttemptReissued { step, deadline, .. }
                if at < *deadline =>
            {
                owed.insert(*step, (seq, None));
            }
            Event::WaitStarted { step, until } | Event::ApprovalRequested { step, until, .. } => {
                owed.insert(*step, (seq, Some(*until)));
            }
            Event::RetryScheduled { step, due_at, .. } => {
                owed.insert(*step, (seq, Some(*due_at)));
            }
            Event::AttemptEnded { step, .. } | Event::AttemptHeld { step, .. } | Event::StepEnded { step, .. } => {
                owed.remove(step);
            }
            Event::RunEnded { .. } => owed.clear(),
            _ => {}
        }
    }
    let mut owed: Vec<_> = owed.into_values().collect();
    owed.sort_unstable();
    owed
}
