//! The laws of room: no bound is exceeded, the most severe goes first, then the oldest, and what has waited has its whole time.

use std::collections::BTreeMap;

use heal_engine::event::{Event, RunStarted};
use heal_runtime::port::place;
use heal_runtime::{RunId, Timestamp};

use super::books::Book;
use super::stage::Stage;

/// The end of an interval that did not end, and the moment of what did not happen.
const NEVER: u64 = u64::MAX;

/// One run as its log has it. A moment is the number of commits in all runs, since the clocks of those who wrote differ.
#[derive(Debug)]
struct Course {
    run_id: RunId,
    playbook: String,
    place: (usize, Timestamp),
    /// When it began to wait for room, and until when it did.
    waited: Option<(u64, u64)>,
    /// From when until when it took room.
    took: Option<(u64, u64)>,
    /// The intervals in which it was held.
    held: Vec<(u64, u64)>,
}

impl Course {
    fn read(book: &Book) -> Self {
        let Book { head, commits, order, .. } = book;
        let started = book.started();
        let RunStarted { mode, playbook, .. } = started;
        let started_at = commits[0].at;
        // One that is escalated needs no room, and one that people have to approve needs none until they have.
        let ends_at_once = commits[0].events.iter().any(|event| matches!(event, Event::RunEnded { .. }));
        let mut course = Self {
            run_id: head.run_id.clone(),
            playbook: playbook.clone(),
            place: place(head.subject.severity.as_deref(), started_at),
            waited: None,
            took: (started.acts() && !mode.is_shadow() && !ends_at_once && !started.approval)
                .then_some((order[0], NEVER)),
            held: Vec::new(),
        };
        for (commit, &at) in commits.iter().zip(order) {
            for event in &commit.events {
                match event {
                    // Of several approvals the last one counts.
                    Event::Approved { .. } => course.took = Some((at, NEVER)),
                    Event::RunQueued => (course.waited, course.took) = (Some((at, NEVER)), None),
                    Event::RunAdmitted => {
                        course.waited.as_mut().unwrap().1 = at;
                        course.took = Some((at, NEVER));
                    }
                    Event::RunHeld { .. } if course.held.last().is_none_or(|held| held.1 != NEVER) => {
                        course.held.push((at, NEVER));
                    }
                    Event::RunReleased { .. } => course.held.last_mut().unwrap().1 = at,
                    Event::RunEnded { .. } => {
                        for (_, until) in course.waited.iter_mut().chain(&mut course.took).chain(&mut course.held) {
                            *until = (*until).min(at);
                        }
                    }
                    _ => {}
                }
            }
        }
        course
    }

    fn takes_room_at(&self, at: u64) -> bool {
        self.took.is_some_and(|(from, until)| from <= at && at < until)
    }

    /// Whether it waited from `before` until after `at`, and nothing held it then.
    fn waits_across(&self, before: u64, at: u64) -> bool {
        let waits = self.waited.is_some_and(|(from, until)| from <= before && at < until);
        waits && !self.held.iter().any(|(from, until)| *from <= at && before <= *until)
    }
}

/// The number of runs that were admitted after they had waited.
pub fn hold(stage: &Stage, books: &[Book]) -> usize {
    let courses: Vec<_> = books.iter().map(Course::read).collect();
    let live = &stage.guardrails.admission.live;
    let mut admitted = 0;
    for course in &courses {
        let Some((at, _)) = course.took else { continue };
        let mut taken: BTreeMap<&str, u32> = BTreeMap::new();
        for other in courses.iter().filter(|other| other.takes_room_at(at)) {
            *taken.entry(&other.playbook).or_default() += 1;
        }
        for (playbook, runs) in &taken {
            assert!(*runs <= live.of_playbook(playbook), "{runs} runs of {playbook} take room at commit {at}");
        }
        let all: u32 = taken.values().sum();
        let taking = || courses.iter().filter(|other| other.takes_room_at(at)).collect::<Vec<_>>();
        assert!(all <= live.of_service("world"), "{all} runs take room at commit {at}: {:#?}", taking());
        admitted += usize::from(course.waited.is_some());
        // A run that has not waited goes behind all that wait; one that has, behind those before it.
        let goes_first =
            |other: &&Course| course.waited.is_none() || (other.place, &other.run_id) < (course.place, &course.run_id);
        // Whoever admits a run has read the line before: it may have become longer meanwhile.
        let works = stage.before_work.partition_point(|before| *before < at);
        let before = stage.before_work.get(works.saturating_sub(1)).map_or(0, |before| *before);
        let mut passed =
            courses.iter().filter(|other| other.playbook == course.playbook && other.waits_across(before, at));
        if let Some(other) = passed.find(goes_first) {
            panic!("{course:?} took room, but {other:?} was first");
        }
    }
    admitted
}
