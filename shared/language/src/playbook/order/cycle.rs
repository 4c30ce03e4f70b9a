//! Steps that wait for each other, and those that wait for them.

use super::Need;
use crate::code;
use crate::playbook::step::Draft;
use crate::report::{Finding, Report, quoted};

/// Steps of a circle that a message names; a longer one is cut in the middle.
const SHOWN: usize = 12;

/// The steps, each after what it needs. Those in a circle are missing, and those behind one too.
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Free,
    InCircle,
    Behind,
}

/// Reports each circle once, and the steps directly behind it.
pub(super) fn report(
    steps: &[Draft<'_>],
    names: &[String],
    needs: &[Vec<Need>],
    sequence: &[usize],
    report: &mut Report,
) {
    if sequence.len() == needs.len() {
        return;
    }
    let mut marks = vec![Mark::Behind; needs.len()];
    for index in sequence {
        set(&mut marks, *index, Mark::Free);
    }
    for start in 0..needs.len() {
        if let Some(circle) = circle_from(start, needs, &marks) {
            report.add(finding(steps, names, needs, &circle));
            circle.iter().for_each(|index| set(&mut marks, *index, Mark::InCircle));
        }
    }
    for (index, needs) in needs.iter().enumerate() {
        let into = needs.iter().find(|need| marks.get(need.index) == Some(&Mark::InCircle));
        if let (Some(Mark::Behind), Some(need), Some(step)) = (marks.get(index), into, steps.get(index)) {
            let name = names.get(need.index).map_or("?", String::as_str);
            let message = format!("this step can never run: it needs `{}`, which is part of a circle", quoted(name));
            report.add(Finding::error(code::UNREACHABLE_STEP, need.span.unwrap_or(step.place), message));
        }
    }
}

/// Follows the first open need of each step until it comes back to one that it has seen.
fn circle_from(start: usize, needs: &[Vec<Need>], marks: &[Mark]) -> Option<Vec<usize>> {
    let is_open = |index: usize| marks.get(index) == Some(&Mark::Behind);
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

/// Points at a written need, and at one that looks forward where there is one: it is the surprising one.
fn finding(steps: &[Draft<'_>], names: &[String], needs: &[Vec<Need>], circle: &[usize]) -> Finding {
    let next = |position: usize| circle.get(position + 1).or_else(|| circle.first()).copied();
    let edges = circle.iter().enumerate().filter_map(|(position, from)| {
        let to = next(position)?;
        let span = needs.get(*from)?.iter().find(|need| need.index == to)?.span;
        Some((span.is_none(), to < *from, position, span))
    });
    let (start, span) = edges.min().map_or((0, None), |(_, _, position, span)| (position, span));
    let place = circle.get(start).and_then(|index| steps.get(*index)).map(|step| step.place).unwrap_or_default();
    let turned = circle.iter().cycle().skip(start).take(circle.len() + 1);
    let shown: Vec<String> = turned.map(|index| quoted(names.get(*index).map_or("?", String::as_str))).collect();
    let text = if shown.len() > SHOWN {
        let ends = |range: std::ops::Range<usize>| shown.get(range).unwrap_or_default().join(" → ");
        format!("{} → … → {}", ends(0..SHOWN / 2), ends(shown.len() - SHOWN / 2..shown.len()))
    } else {
        shown.join(" → ")
    };
    let message = format!("steps need each other in a circle: {text}");
    Finding::error(code::NEEDS_CYCLE, span.unwrap_or(place), message)
        .help("none of them can start; remove one of the needs")
}

fn set(marks: &mut [Mark], index: usize, mark: Mark) {
    if let Some(slot) = marks.get_mut(index) {
        *slot = mark;
    }
}
