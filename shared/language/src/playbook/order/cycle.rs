//! Topological order of the steps, and the cycles that prevent one.

use super::Need;
use crate::code;
use crate::playbook::step::StepDraft;
use crate::report::{Finding, Report, quoted};

/// Steps of a cycle that a message names; a longer cycle is shortened in the middle.
const SHOWN: usize = 12;

/// The steps in topological order (Kahn), without those in or behind a cycle.
pub(super) fn sequence(needs: &[Vec<Need>]) -> Vec<usize> {
    let mut unmet: Vec<usize> = needs.iter().map(Vec::len).collect();
    let mut dependents: Vec<Vec<usize>> = vec![Vec::new(); needs.len()];
    for (index, needs) in needs.iter().enumerate() {
        for need in needs {
            if let Some(dependents) = dependents.get_mut(need.index) {
                dependents.push(index);
            }
        }
    }
    let mut sequence: Vec<usize> =
        unmet.iter().enumerate().filter(|(_, count)| **count == 0).map(|(index, _)| index).collect();
    let mut done = 0;
    while let Some(index) = sequence.get(done).copied() {
        done += 1;
        for dependent in dependents.get(index).into_iter().flatten() {
            if let Some(count) = unmet.get_mut(*dependent) {
                *count -= 1;
                if *count == 0 {
                    sequence.push(*dependent);
                }
            }
        }
    }
    sequence
}

/// Where a step stands relative to the cycles found so far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Ordered,
    InCycle,
    BehindCycle,
}

/// Reports each cycle once, and the steps that directly need one of its steps.
pub(super) fn report(
    steps: &[StepDraft<'_>],
    names: &[String],
    needs: &[Vec<Need>],
    sequence: &[usize],
    report: &mut Report,
) {
    if sequence.len() == needs.len() {
        return;
    }
    let mut marks = vec![Mark::BehindCycle; needs.len()];
    for index in sequence {
        set(&mut marks, *index, Mark::Ordered);
    }
    for start in 0..needs.len() {
        if let Some(cycle) = cycle_from(start, needs, &marks) {
            report.add(finding(steps, names, needs, &cycle));
            cycle.iter().for_each(|index| set(&mut marks, *index, Mark::InCycle));
        }
    }
    for (index, needs) in needs.iter().enumerate() {
        let into = needs.iter().find(|need| marks.get(need.index) == Some(&Mark::InCycle));
        if let (Some(Mark::BehindCycle), Some(need), Some(step)) = (marks.get(index), into, steps.get(index)) {
            let name = names.get(need.index).map_or("?", String::as_str);
            let message = format!("this step can never run: it needs `{}`, which is part of a cycle", quoted(name));
            report.add(Finding::error(code::UNREACHABLE_STEP, need.span.unwrap_or(step.place), message));
        }
    }
}

/// The cycle that following the first unordered need of each step runs into.
fn cycle_from(start: usize, needs: &[Vec<Need>], marks: &[Mark]) -> Option<Vec<usize>> {
    let is_open = |index: usize| marks.get(index) == Some(&Mark::BehindCycle);
    let mut position = vec![None; needs.len()];
    let mut path = Vec::new();
    let mut at = Some(start).filter(|start| is_open(*start))?;
    loop {
        if let Some(Some(first)) = position.get(at) {
            return path.get(*first..).map(<[usize]>::to_vec);
        }
        if let Some(slot) = position.get_mut(at) {
            *slot = Some(path.len());
        }
        path.push(at);
        at = needs.get(at)?.iter().map(|need| need.index).find(|need| is_open(*need))?;
    }
}

/// Points at a written need, preferably one of a later step, which is the likely mistake.
fn finding(steps: &[StepDraft<'_>], names: &[String], needs: &[Vec<Need>], cycle: &[usize]) -> Finding {
    let next = |position: usize| cycle.get(position + 1).or_else(|| cycle.first()).copied();
    let edges = cycle.iter().enumerate().filter_map(|(position, from)| {
        let to = next(position)?;
        let span = needs.get(*from)?.iter().find(|need| need.index == to)?.span;
        Some((span.is_none(), to < *from, position, span))
    });
    let (start, span) = edges.min().map_or((0, None), |(_, _, position, span)| (position, span));
    let place = cycle.get(start).and_then(|index| steps.get(*index)).map(|step| step.place).unwrap_or_default();
    let turned = cycle.iter().cycle().skip(start).take(cycle.len() + 1);
    let shown: Vec<String> = turned.map(|index| quoted(names.get(*index).map_or("?", String::as_str))).collect();
    let text = if shown.len() > SHOWN {
        let ends = |range: std::ops::Range<usize>| shown.get(range).unwrap_or_default().join(" → ");
        format!("{} → … → {}", ends(0..SHOWN / 2), ends(shown.len() - SHOWN / 2..shown.len()))
    } else {
        shown.join(" → ")
    };
    let message = format!("steps need each other in a cycle: {text}");
    Finding::error(code::NEEDS_CYCLE, span.unwrap_or(place), message)
        .help("none of them can start; remove one of the needs")
}

fn set(marks: &mut [Mark], index: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(index) {
        *slot = mark;
    }
}
