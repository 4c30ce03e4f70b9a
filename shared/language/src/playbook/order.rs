//! The names of the steps, and which step comes after which.

use std::collections::HashMap;

use super::step::{Draft, Section};
use crate::code;
use crate::diagnostic::Span;
use crate::name::{illegal_name, is_legal_name};
use crate::report::{Finding, Report, quoted};
use heal_engine::suggest;

mod cycle;

/// The steps of a playbook in their order, by index: the actions first.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) names: Vec<String>,
    by_name: HashMap<String, usize>,
    /// The steps that each one waits for.
    pub(super) needs: Vec<Vec<usize>>,
    /// The steps that have ended when a step starts; none where a circle leaves that open.
    ended: Vec<Option<Steps>>,
    /// A sequence in which every step comes after what it needs, without those in and behind a circle.
    pub(super) sequence: Vec<usize>,
}

/// A set of steps.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Steps(Vec<u64>);

/// One step's wish for another, where it is written.
#[derive(Debug, Clone, Copy)]
struct Need {
    index: usize,
    /// None for the need that nobody wrote: the step before.
    span: Option<Span>,
}

impl Order {
    pub(super) fn of(steps: &[Draft<'_>], report: &mut Report) -> Self {
        let names = names(steps, report);
        let mut by_name = HashMap::with_capacity(names.len());
        for (index, name) in names.iter().enumerate() {
            by_name.entry(name.clone()).or_insert(index);
        }
        let needs: Vec<Vec<Need>> = (0..steps.len()).map(|index| needs(steps, index, &by_name, report)).collect();
        let sequence = cycle::sequence(&needs);
        cycle::report(steps, &names, &needs, &sequence, report);
        let ended = ended(steps, &needs, &sequence);
        let needs = needs.into_iter().map(|needs| needs.into_iter().map(|need| need.index).collect()).collect();
        Self { names, by_name, needs, ended, sequence }
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.by_name.get(name).copied()
    }

    pub(super) fn name(&self, index: usize) -> &str {
        self.names.get(index).map_or("?", String::as_str)
    }

    /// Whether `other` has surely ended when `step` starts.
    pub(super) fn has_ended(&self, other: usize, step: usize) -> bool {
        match self.ended.get(step) {
            Some(Some(ended)) => ended.contains(other),
            // In or behind a circle nothing is sure, and the circle is the fault to be mended first.
            Some(None) | None => true,
        }
    }
}

impl Steps {
    fn none(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    fn insert(&mut self, index: usize) {
        if let Some(word) = self.0.get_mut(index / 64) {
            *word |= 1 << (index % 64);
        }
    }

    fn contains(&self, index: usize) -> bool {
        self.0.get(index / 64).is_some_and(|word| word >> (index % 64) & 1 == 1)
    }

    fn join(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(&other.0) {
            *word |= more;
        }
    }
}

/// A name for every step: its own, or that of its type with a number where that is taken.
fn names(steps: &[Draft<'_>], report: &mut Report) -> Vec<String> {
    let mut taken: HashMap<&str, &str> = HashMap::with_capacity(steps.len());
    for step in steps {
        let Some((name, span)) = &step.name else { continue };
        check_name(name, *span, report);
        if let Some(first) = taken.get(name.as_str()) {
            let message = format!("there is a step `{}` already, of type {}", quoted(name), quoted(first));
            report.add(Finding::error(code::DUPLICATE_NAME, *span, message).help("templates find a step by its name"));
            continue;
        }
        taken.insert(name, &step.kind);
    }
    let mut used: HashMap<&str, usize> = HashMap::new();
    let mut names = Vec::with_capacity(steps.len());
    for step in steps {
        if let Some((name, _)) = &step.name {
            names.push(name.clone());
            continue;
        }
        let base = if step.kind.is_empty() { "step" } else { step.kind.as_str() };
        let used = used.entry(base).or_insert(0);
        let name = loop {
            *used += 1;
            let name = if *used == 1 { base.to_owned() } else { format!("{base}_{used}") };
            if !taken.contains_key(name.as_str()) {
                break name;
            }
        };
        names.push(name);
    }
    names
}

fn check_name(name: &str, span: Span, report: &mut Report) {
    if !is_legal_name(name) {
        report.add(illegal_name(name, span));
    } else if name.contains('-') || name.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("templates cannot write `steps.{name}`: that is no name to them");
        let help = format!("begin with a letter and write _ for -, or write `steps['{name}']` in templates");
        report.add(Finding::warning(code::AWKWARD_NAME, span, message).help(help));
    }
}

fn needs(steps: &[Draft<'_>], index: usize, by_name: &HashMap<String, usize>, report: &mut Report) -> Vec<Need> {
    let Some(step) = steps.get(index) else { return Vec::new() };
    let is_peer = |other: usize| steps.get(other).is_some_and(|other| other.section == step.section);
    let Some(written) = &step.needs else {
        let before = index.checked_sub(1).filter(|before| is_peer(*before));
        return before.map(|index| Need { index, span: None }).into_iter().collect();
    };
    let mut needs: Vec<Need> = Vec::with_capacity(written.len());
    for (name, span) in written {
        match by_name.get(*name) {
            Some(index) if !is_peer(*index) => {
                let why = match step.section {
                    Section::Actions => "is a verify entry, and verification starts after all actions",
                    Section::Verify => "is an action, and all actions have ended before verification starts",
                };
                let message = format!("`{}` {why}", quoted(name));
                report.add(Finding::error(code::UNKNOWN_NEED, *span, message).help("remove it from `needs`"));
            }
            Some(index) if needs.iter().any(|need| need.index == *index) => {
                let message = format!("`{}` is needed already", quoted(name));
                report.add(Finding::warning(code::NO_EFFECT, *span, message));
            }
            Some(index) => needs.push(Need { index: *index, span: Some(*span) }),
            None => {
                let peers = by_name.iter().filter(|(_, index)| is_peer(**index)).map(|(name, _)| name.as_str());
                let finding = Finding::error(code::UNKNOWN_NEED, *span, format!("there is no step `{}`", quoted(name)));
                report.add(finding.suggest(suggest::closest(name, peers)));
            }
        }
    }
    needs
}

/// For each step what has ended before it starts. Verify entries start after all actions.
fn ended(steps: &[Draft<'_>], needs: &[Vec<Need>], sequence: &[usize]) -> Vec<Option<Steps>> {
    let mut actions = Steps::none(steps.len());
    for (index, step) in steps.iter().enumerate() {
        if step.section == Section::Actions {
            actions.insert(index);
        }
    }
    let mut ended: Vec<Option<Steps>> = vec![None; steps.len()];
    for index in sequence {
        let is_verify = steps.get(*index).is_some_and(|step| step.section == Section::Verify);
        let mut before = if is_verify { actions.clone() } else { Steps::none(steps.len()) };
        for need in needs.get(*index).into_iter().flatten() {
            before.insert(need.index);
            if let Some(Some(theirs)) = ended.get(need.index) {
                before.join(theirs);
            }
        }
        if let Some(slot) = ended.get_mut(*index) {
            *slot = Some(before);
        }
    }
    ended
}
