//! The law of storms: one group incident for all sick targets of a service, and a trickle of effects while it lasts.

use std::collections::BTreeSet;

use heal_engine::event::{Event, RunStarted};
use heal_engine::state::follow_up::ESCALATION;
use heal_runtime::Timestamp;

use super::books::Book;
use super::playbooks::{STORMY, storm};
use super::remedy::Effect;
use super::stage::Stage;

/// Whether a run stands for a storm.
pub fn is_group_incident(started: &RunStarted) -> bool {
    started.incident_type.as_deref() == Some("STORM")
}

/// One group incident.
struct Group {
    at: Timestamp,
    /// Commits in all runs with its first one, and with the one that acknowledges it.
    started: u64,
    acknowledged: Option<u64>,
}

pub fn hold(stage: &Stage, books: &[Book], effects: &[Effect]) {
    one_group(stage, &groups(books));
    for own in stage.own_halts.values() {
        let Some(storm) = &own.halt.storm else { continue };
        let counts = |effect: &&Effect| {
            effect.action == "stir" && !effect.wrong_clock && own.surely_lasts(effect.at, stage.skew_ms())
        };
        let held: Vec<_> = effects.iter().filter(counts).collect();
        for last in held.iter().filter(|last| !stage.was_wrong_within(storm.window_ms + stage.apart_ms(), last.at)) {
            let in_window = |effect: &&&Effect| {
                effect.at <= last.at && effect.taken_at().plus_ms(storm.window_ms) > last.at.plus_ms(stage.apart_ms())
            };
            let attempts: BTreeSet<_> = held.iter().filter(in_window).map(|effect| &effect.key).collect();
            assert!(attempts.len() <= storm.trickle as usize, "{attempts:?} within a window of {:?}", own.halt);
        }
    }
}

fn groups(books: &[Book]) -> Vec<Group> {
    let mut groups = Vec::new();
    for book in books.iter().filter(|book| book.head.incident_id.starts_with("storm-")) {
        let (Book { head, commits, order, .. }, started) = (book, book.started());
        assert!(head.incident_id.starts_with(&format!("storm-{STORMY}-")) && is_group_incident(started), "{head:?}");
        let is_done = |event: &Event| matches!(event, Event::FollowUpDone { id, .. } if id == ESCALATION);
        let acknowledged = commits.iter().position(|commit| commit.events.iter().any(is_done));
        groups.push(Group {
            at: commits[0].at,
            started: order[0],
            acknowledged: acknowledged.map(|index| order[index]),
        });
    }
    groups.sort_by_key(|group| group.started);
    groups
}

/// Until a group incident is acknowledged, there is no other in its quiet period.
fn one_group(stage: &Stage, groups: &[Group]) {
    for pair in groups.windows(2) {
        let (first, next) = (&pair[0], &pair[1]);
        let is_acknowledged = first.acknowledged.is_some_and(|order| order < next.started);
        if is_acknowledged || stage.is_of_a_wrong_clock(first.at) || stage.is_of_a_wrong_clock(next.at) {
            continue;
        }
        let apart_ms = next.at.since_ms(first.at) + stage.apart_ms();
        assert!(apart_ms >= storm().quiet_seconds * 1_000, "two group incidents within {apart_ms} ms");
    }
}
