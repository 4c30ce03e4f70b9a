//! Room among the live runs: which runs take it, and which of those that wait is next.
//!
//! The engine says which run takes room, the guardrails how much there is, and the store decides, in the write that takes it. A run that finds
//! none is created all the same, and waits. Whoever ends a run admits the next one; the sweep admits those that were forgotten in between.

use std::collections::{BTreeMap, BTreeSet};

use heal_engine::Plan;
use heal_engine::turn::Input;

use super::cache::Live;
use super::commit::Hand;
use super::{DispatchError, Dispatcher};
use crate::halts;
use crate::port::{BackendError, Room, RoomBound, WAITING_RUNS, WaitingRun};

impl Dispatcher {
    /// The room that the run takes in its present state; `None` if it takes none.
    pub(super) fn room(&self, live: &Live) -> Option<Room> {
        live.state
            .takes_room()
            .then(|| Room { bounds: self.bounds(&live.plan), yields: live.state.admitted_at.is_none() })
    }

    /// The bounds on a run of `plan`: that of its playbook, and those of the services at which it may change something.
    ///
    /// Runs of an older plan count at the services of their playbook's present plan.
    fn bounds(&self, plan: &Plan) -> Vec<RoomBound> {
        let live = &self.ports.guardrails.admission.live;
        let name = &plan.playbook.name;
        let own = RoomBound { playbooks: vec![name.clone()], max: live.of_playbook(name) };
        let of_service = |service: &str| {
            let plans = self.library.entries().map(|entry| &*entry.plan);
            let others = plans.filter(|plan| services(plan).contains(service)).map(|plan| plan.playbook.name.clone());
            let playbooks: BTreeSet<String> = others.chain([name.clone()]).collect();
            RoomBound { playbooks: playbooks.into_iter().collect(), max: live.of_service(service) }
        };
        std::iter::once(own).chain(services(plan).into_iter().map(of_service)).collect()
    }

    /// A dispatcher without playbooks, such as that of `heal runs approve`, does not know the bounds: its runs wait until an engine admits them.
    pub(super) fn knows_bounds(&self) -> bool {
        self.library.entries().next().is_some()
    }

    /// Admits every run that waits and for which there is room; returns their number.
    ///
    /// # Errors
    /// The runs that wait, or the halts, cannot be read.
    pub(super) async fn admit_waiting(&self) -> Result<usize, BackendError> {
        if !self.knows_bounds() {
            return Ok(0);
        }
        let mut admitted = 0;
        loop {
            let of_pass = self.admit_some().await?;
            admitted += of_pass;
            // The store names no more than so many runs of a playbook at once.
            if of_pass < WAITING_RUNS {
                return Ok(admitted);
            }
        }
    }

    /// As [`Dispatcher::admit_waiting`], at the end of a turn that has succeeded: the sweep does what fails here.
    pub(super) async fn admit_next(&self) {
        if let Err(error) = self.admit_waiting().await {
            let error = &error as &dyn std::error::Error;
            tracing::warn!(error, "failed to admit the next runs; the sweep will do it");
        }
    }

    async fn admit_some(&self) -> Result<usize, BackendError> {
        let now = self.ports.clock.now();
        let mut occupancy = self.ports.runs.occupancy(now).await?;
        if occupancy.waiting.is_empty() {
            return Ok(0);
        }
        let halts = self.ports.halts.read(now).await?;
        // Playbooks whose next run has to wait: those behind it are not admitted before it.
        let mut blocked = BTreeSet::new();
        let mut bounds: BTreeMap<String, Room> = BTreeMap::new();
        let mut admitted = 0;
        for run in occupancy.waiting {
            let playbook = run.playbook.clone();
            if blocked.contains(&playbook) {
                continue;
            }
            // The bounds by the present plan are a guess that saves a write: the run's own plan decides.
            let room = bounds.entry(playbook.clone()).or_insert_with(|| self.present_room(&playbook));
            if halts::of_run(&halts, &playbook, now).is_some() || !room.is_free(&occupancy.taken) {
                blocked.insert(playbook);
                continue;
            }
            match self.admit_one(&run, now.0).await {
                Admission::Admitted { takes_room } => {
                    admitted += 1;
                    *occupancy.taken.entry(playbook).or_default() += u32::from(takes_room);
                }
                Admission::Gone => {}
                Admission::Waits => {
                    blocked.insert(playbook);
                }
            }
        }
        Ok(admitted)
    }

    fn present_room(&self, playbook: &str) -> Room {
        let bounds = self.library.get(playbook).map(|entry| self.bounds(&entry.plan)).unwrap_or_default();
        Room { bounds, yields: false }
    }

    async fn admit_one(&self, run: &WaitingRun, now_ms: u64) -> Admission {
        let taken = self.take_alone(&run.run_id, &format!("admit:{now_ms}"), &[Input::Admit], Hand::default()).await;
        match taken {
            Ok((turn, _)) if turn.status == heal_engine::event::RunStatus::Pending => Admission::Waits,
            Ok((turn, _)) if turn.events > 0 => Admission::Admitted { takes_room: !turn.status.is_terminal() },
            // Another process was faster, or the index is behind the log.
            Ok(_) | Err(DispatchError::UnknownRun { .. }) => Admission::Gone,
            Err(error) => {
                tracing::error!(run_id = %run.run_id, error = &error as &dyn std::error::Error, "failed to admit a run");
                match error {
                    DispatchError::Backend(_) | DispatchError::Contended { .. } | DispatchError::ClaimLost { .. } => {
                        Admission::Waits
                    }
                    // It can never go on, and must not keep the others waiting.
                    DispatchError::UnknownRun { .. }
                    | DispatchError::MissingPlan { .. }
                    | DispatchError::Plan { .. }
                    | DispatchError::Log { .. } => Admission::Gone,
                }
            }
        }
    }
}

/// What became of a run that was to be admitted.
enum Admission {
    Admitted {
        /// False if it ended at once.
        takes_room: bool,
    },
    /// It waits on.
    Waits,
    /// It does not wait for room any more, or is damaged.
    Gone,
}

/// The services at which a run of `plan` may change something.
fn services(plan: &Plan) -> BTreeSet<&str> {
    let changing = plan.steps().filter(|(_, step)| step.is_change());
    changing.map(|(_, step)| step.spec.service.as_str()).filter(|service| !service.is_empty()).collect()
}
