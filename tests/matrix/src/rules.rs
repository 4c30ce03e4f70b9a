//! The rules that every row keeps.

use heal_sandbox::Service;

use crate::cell::{Injection, Row};
use crate::fault::{Extent, Fault};

/// The outcomes of a run that claims to have done its work.
const DONE: [&str; 2] = ["HEALED", "COMPLETED"];

impl Row {
    /// What is wrong with this row, one sentence each.
    pub fn violations(&self) -> Vec<String> {
        let rules = [
            self.claims_what_is_not_so(),
            self.repeats_an_effect(),
            self.touches_what_is_not_its_own(),
            self.exits_with_another_status(),
            self.takes_longer_than_explained(),
            self.leaves_somebody_in_the_dark(),
            self.misses_its_fault(),
        ];
        let of_the_cell = match self.cell.injection {
            Some(injection) => self.violations_under(injection),
            None => self.violations_without_a_fault(),
        };
        rules.into_iter().flatten().chain(of_the_cell).collect()
    }

    fn claims_what_is_not_so(&self) -> Option<String> {
        let facts = &self.facts;
        let claims = facts.exit == 0 || DONE.contains(&facts.outcome.as_str());
        (claims && !facts.is_well)
            .then(|| format!("{} with exit {}, but the target is not well", facts.outcome, facts.exit))
    }

    fn repeats_an_effect(&self) -> Option<String> {
        let twice = self.facts.effects.windows(2).find(|pair| pair[0] == pair[1])?;
        Some(format!("`{}` stands twice in {:?}", twice[0], self.facts.effects))
    }

    fn touches_what_is_not_its_own(&self) -> Option<String> {
        let foreign = self.facts.effects.iter().find(|effect| !self.cell.effects().contains(&effect.as_str()))?;
        Some(format!("`{foreign}` is not an effect of this playbook"))
    }

    fn exits_with_another_status(&self) -> Option<String> {
        let expected = match self.facts.outcome.as_str() {
            "HEALED" | "COMPLETED" => 0,
            "DEGRADED" => 3,
            _ => 1,
        };
        let found = self.facts.exit;
        (found != expected).then(|| format!("exit {found}, expected {expected} for {:?}", self.facts.outcome))
    }

    fn takes_longer_than_explained(&self) -> Option<String> {
        let limit = self.facts.explained.limit_seconds();
        let took = self.facts.elapsed.as_secs_f64();
        let is_over = self.facts.elapsed > std::time::Duration::from_secs(limit);
        is_over.then(|| format!("took {took:.1} s, at most {limit} s are explained: {:?}", self.facts.explained))
    }

    fn leaves_somebody_in_the_dark(&self) -> Option<String> {
        let is_dark = self.facts.exit != 0 && self.facts.follow_ups == 0;
        is_dark.then(|| "not done, and no follow-up says what is left".to_owned())
    }

    fn misses_its_fault(&self) -> Option<String> {
        (!self.facts.is_met).then(|| "the run did not meet the fault, so the row says nothing".to_owned())
    }

    fn violations_without_a_fault(&self) -> Vec<String> {
        let facts = &self.facts;
        let mut found = Vec::new();
        if facts.outcome != "HEALED" || !facts.is_well {
            found.push(format!("{} without a fault, expected HEALED and a target that is well", facts.outcome));
        }
        if facts.effects != self.cell.effects() {
            found.push(format!("effects {:?}, expected {:?}", facts.effects, self.cell.effects()));
        }
        if !facts.called.iter().eq(self.cell.scenario.services) {
            found.push(format!("called {:?}, expected {:?}", facts.called, self.cell.scenario.services));
        }
        found
    }

    fn violations_under(&self, Injection { service, fault, extent }: Injection) -> Vec<String> {
        let facts = &self.facts;
        let mut found = Vec::new();
        // An outage of the policy server never passes in silence, whoever decides in its place.
        if service == Service::Opa && extent == Extent::WholeRun && facts.warnings == 0 && facts.exit == 0 {
            found.push("the policy server did not decide, and no warning says so".to_owned());
        }
        if fault == Fault::UndecidedClosed && facts.exit == 0 {
            found.push("nobody decided, and `heal` was to act only on a decision".to_owned());
        }
        let variables = fault.variables(service);
        if variables.is_empty() {
            return found;
        }
        if facts.exit == 0 || DONE.contains(&facts.outcome.as_str()) {
            found.push(format!("{} with exit {}, but the configuration is wrong", facts.outcome, facts.exit));
        }
        if !facts.texts.iter().any(|text| variables.iter().any(|variable| text.contains(variable))) {
            found.push(format!("no text names {variables:?}"));
        }
        if let Some(skipped) = facts.open_steps.iter().find(|step| step.ends_with(": skipped")) {
            found.push(format!("{skipped}, but a wrong configuration is not an outage"));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cell::Cell;
    use crate::facts::Facts;
    use crate::scenario::Like;

    fn healed() -> Facts {
        let scenario = Cell::all()[0].scenario;
        Facts {
            outcome: "HEALED".to_owned(),
            effects: scenario.effects(Like::Deployed).iter().map(ToString::to_string).collect(),
            is_well: true,
            is_met: true,
            called: scenario.services.iter().copied().collect(),
            ..Facts::default()
        }
    }

    fn violations(injection: Option<(Service, Fault)>, facts: Facts) -> Vec<String> {
        let injection = injection.map(|(service, fault)| Injection { service, fault, extent: Extent::WholeRun });
        let scenario = Cell::all()[0].scenario;
        Row { cell: Cell { like: Like::Deployed, scenario, injection }, facts }.violations()
    }

    #[test]
    fn a_run_without_a_fault_that_heals_its_target_keeps_every_rule() {
        assert_eq!(violations(None, healed()), [""; 0]);
    }

    #[test]
    fn every_rule_can_be_broken() {
        let refuse = Some((Service::Tickets, Fault::Refuse));
        let cases = [
            (refuse, Facts { is_well: false, ..healed() }, "the target is not well"),
            (refuse, Facts { outcome: "COMPLETED".into(), is_well: false, ..healed() }, "the target is not well"),
            (refuse, Facts { effects: vec!["ticket-1 PENDING".into(); 2], ..healed() }, "stands twice"),
            (refuse, Facts { effects: vec!["ticket-4 PENDING".into()], ..healed() }, "not an effect of this playbook"),
            (refuse, Facts { outcome: "DEGRADED".into(), ..healed() }, "exit 0, expected 3"),
            (refuse, Facts { exit: 1, outcome: "FAILED".into(), ..healed() }, "no follow-up"),
            (refuse, Facts { elapsed: Duration::from_mins(1), ..healed() }, "took 60.0 s"),
            (refuse, Facts { is_met: false, ..healed() }, "did not meet the fault"),
            (Some((Service::Opa, Fault::Refuse)), healed(), "no warning says so"),
            (Some((Service::Opa, Fault::UndecidedClosed)), healed(), "nobody decided"),
            (Some((Service::Tickets, Fault::WrongDialect)), healed(), "but the configuration is wrong"),
            (Some((Service::Tickets, Fault::WrongDialect)), healed(), "no text names"),
            (
                Some((Service::Tickets, Fault::WrongDialect)),
                Facts { open_steps: vec!["reallocate_ticket: skipped".into()], ..healed() },
                "is not an outage",
            ),
            (None, Facts { outcome: "COMPLETED".into(), ..healed() }, "expected HEALED"),
            (None, Facts { effects: Vec::new(), ..healed() }, "effects []"),
            (None, Facts { called: [Service::Tickets].into(), ..healed() }, "called {Tickets}"),
        ];
        for (injection, facts, expected) in cases {
            let found = violations(injection, facts);
            assert!(found.iter().any(|text| text.contains(expected)), "no {expected:?} in {found:?}");
        }
    }
}
