//! One cell of the matrix, and the row that it becomes.

use heal_sandbox::Service;

use crate::facts::Facts;
use crate::fault::{Extent, Fault};
use crate::scenario::{Like, Scenario};

/// A scenario, and the fault under which it runs; `None` for the run without a fault.
#[derive(Clone, Copy)]
pub struct Cell {
    /// The platform.
    pub like: Like,
    /// The incident.
    pub scenario: &'static Scenario,
    /// The fault.
    pub injection: Option<Injection>,
}

/// One fault of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Injection {
    /// The faulty service.
    pub service: Service,
    /// Its fault.
    pub fault: Fault,
    /// How long the fault lasts.
    pub extent: Extent,
}

/// A cell, and what came of it.
pub struct Row {
    /// The cell.
    pub cell: Cell,
    /// What was observed.
    pub facts: Facts,
}

impl Cell {
    /// Every applicable cell, in the order of the page.
    pub fn all() -> Vec<Self> {
        let of = |like| SCENARIOS.iter().flat_map(move |scenario| Self::of(like, scenario));
        of(Like::Deployed).chain(of(Like::Guide)).collect()
    }

    fn of(like: Like, scenario: &'static Scenario) -> Vec<Self> {
        let mut cells = vec![Self { like, scenario, injection: None }];
        for &service in scenario.services {
            for fault in Fault::ALL.into_iter().filter(|fault| fault.not_applicable(service).is_none()) {
                for extent in [Extent::WholeRun, Extent::FirstChange] {
                    let is_possible = extent == Extent::WholeRun || !fault.is_of_settings();
                    let has_call = extent == Extent::WholeRun || scenario.change(service, like).is_some();
                    if is_possible && has_call && (like == Like::Deployed || fault.is_main(extent)) {
                        cells.push(Self { like, scenario, injection: Some(Injection { service, fault, extent }) });
                    }
                }
            }
        }
        cells
    }

    /// What a run without the fault changes, sorted.
    pub(crate) fn effects(&self) -> &'static [&'static str] {
        self.scenario.effects(self.like)
    }

    /// The name in messages, such as `workflow_restart (wf-1 resumed): orchestrator, hang, whole run`.
    pub fn name(&self) -> String {
        let (playbook, effects) = (self.scenario.playbook, self.effects());
        let on = if self.like == Like::Guide { " as in the guide" } else { "" };
        let fault = self.injection.map_or("no fault".to_owned(), |injection| injection.name());
        format!("{playbook}{on} ({}): {fault}", effects.join(", "))
    }
}

static SCENARIOS: [Scenario; Scenario::ALL.len()] = Scenario::ALL;

impl Injection {
    /// The name in messages, such as `orchestrator, hang, whole run`.
    pub fn name(&self) -> String {
        format!("{}, {}, {}", self.service, self.fault.name(), self.extent.name())
    }
}
