//! One cell of the matrix, and the row that it becomes.

use heal_sandbox::Service;

use crate::facts::Facts;
use crate::fault::{Extent, Fault};
use crate::scenario::Scenario;

/// A scenario, and the fault under which it runs; `None` for the run without a fault.
#[derive(Clone, Copy)]
pub struct Cell {
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
        SCENARIOS.iter().flat_map(Self::of).collect()
    }

    fn of(scenario: &'static Scenario) -> Vec<Self> {
        let mut cells = vec![Self { scenario, injection: None }];
        for &service in scenario.services {
            for fault in Fault::ALL.into_iter().filter(|fault| fault.not_applicable(service).is_none()) {
                for extent in [Extent::WholeRun, Extent::FirstChange] {
                    // A wrong configuration lasts until somebody corrects it.
                    let is_possible = extent == Extent::WholeRun || !fault.is_misconfiguration();
                    if is_possible && (extent == Extent::WholeRun || scenario.change(service).is_some()) {
                        cells.push(Self { scenario, injection: Some(Injection { service, fault, extent }) });
                    }
                }
            }
        }
        cells
    }

    /// The name in messages, such as `workflow_restart (wf-1 resumed): orchestrator, hang, whole run`.
    pub fn name(&self) -> String {
        let Scenario { playbook, effects, .. } = self.scenario;
        let fault = self.injection.map_or("no fault".to_owned(), |injection| injection.name());
        format!("{playbook} ({}): {fault}", effects.join(", "))
    }
}

static SCENARIOS: [Scenario; Scenario::ALL.len()] = Scenario::ALL;

impl Injection {
    /// The name in messages, such as `orchestrator, hang, whole run`.
    pub fn name(&self) -> String {
        format!("{}, {}, {}", self.service, self.fault.name(), self.extent.name())
    }
}
