//! The logs of a course, each read once for all laws.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use heal_engine::Plan;
use heal_engine::event::{Commit, Event, RunStarted};
use heal_runtime::port::{RunHead, RunReader as _};
use heal_runtime::{Digest, Timestamp};

use super::stage::Stage;

/// One run.
pub struct Book {
    pub head: RunHead,
    pub commits: Vec<Commit>,
    /// For each commit, the number of commits in all runs with it.
    pub order: Vec<u64>,
    /// The plan that its first event pins.
    pub plan: Arc<Plan>,
    /// Whether a process has written to it whose clock was a year ahead.
    pub is_of_a_wrong_clock: bool,
}

impl Book {
    pub fn started(&self) -> &RunStarted {
        let Some(Event::RunStarted(started)) = self.commits[0].events.first() else {
            panic!("no start: {:?}", self.commits[0])
        };
        started
    }

    pub fn events(&self) -> impl Iterator<Item = (Timestamp, &Event)> {
        self.commits.iter().flat_map(|commit| commit.events.iter().map(|event| (commit.at, event)))
    }
}

/// Every run of the stage.
pub async fn read(stage: &Stage) -> Vec<Book> {
    let mut books = Vec::new();
    for head in stage.heads().await {
        let commits = stage.runs.load(&head.run_id, 0).await.unwrap();
        let Some(Event::RunStarted(started)) = commits[0].events.first() else { panic!("no start: {:?}", commits[0]) };
        let json = stage.runs.plan(&started.plan_digest).await.unwrap().expect("the pinned plan is stored");
        let plan = plan(&started.plan_digest, json);
        let is_of_a_wrong_clock = commits.iter().any(|commit| stage.is_of_a_wrong_clock(commit.at));
        books.push(Book { order: stage.runs.order(&head.run_id), head, commits, plan, is_of_a_wrong_clock });
    }
    books
}

thread_local! {
    /// The plans that this thread has read, with their texts: all courses have the same few.
    static PLANS: RefCell<BTreeMap<Digest, (String, Arc<Plan>)>> = const { RefCell::new(BTreeMap::new()) };
}

/// The plan of a stored text.
pub fn plan(digest: &Digest, json: String) -> Arc<Plan> {
    PLANS.with_borrow_mut(|plans| match plans.get(digest) {
        Some((known, plan)) if *known == json => plan.clone(),
        _ => {
            let plan = Arc::new(Plan::parse(digest, &json).unwrap());
            plans.insert(digest.clone(), (json, plan.clone()));
            plan
        }
    })
}
