//! Whether a verify entry can be evidence of what the run brought about.
//!
//! A *changing* step is one whose action is not read-only. An entry is evidence if
//! - its `until`, `condition` or parameters name `steps.NAME` or a bare output of a changing step, or
//! - its parameters name a subject of a changing step: a variable, or a fixed text, that stands in the parameters of the changing step, or
//!   in those of a reading step whose outputs decide about the changing step (its condition, `for_each` or parameters).
//!
//! `incident_id` and `namespace` name no subject. Anything else may have held before the run. The rule looks at names only, so it can miss an
//! entry that proves nothing.

use std::collections::BTreeSet;

use heal_engine::catalog::{Catalog, Safety};
use heal_engine::template::{Template, is_template};

use super::order::StepOrder;
use super::step::{Section, StepDraft};
use crate::code;
use crate::report::{Finding, Report};
use crate::yaml::{Kind, Node};

/// Variables that many targets share: the incident is named in reasons, a namespace holds many pods.
const NO_SUBJECTS: [&str; 2] = ["incident_id", "namespace"];

/// What a step's texts name: variables as `name` or `steps.name.output`, fixed texts in quotes.
type Names = BTreeSet<String>;

pub(super) fn check(steps: &[StepDraft<'_>], order: &StepOrder, catalog: &Catalog, report: &mut Report) {
    let changing: BTreeSet<usize> = (0..steps.len()).filter(|index| is_changing(steps, *index, catalog)).collect();
    if changing.is_empty() {
        return;
    }
    let subjects = subjects(steps, &changing, order, catalog);
    for draft in steps.iter().filter(|draft| draft.section == Section::Verify && draft.until.is_some()) {
        let own = parameters(draft, catalog);
        let named = [draft.until, draft.condition].into_iter().flatten().fold(own.clone(), |mut named, field| {
            collect(field.node, &mut named);
            named
        });
        let own_outputs = outputs(draft, catalog);
        let gives = |index: &usize| is_named(*index, &named, &own_outputs, steps, order, catalog);
        if own.is_disjoint(&subjects) && !changing.iter().any(gives) {
            let message = "this entry reads nothing that a changing step touches or gives: what it waits for may have held before";
            let help = "read what the step changed, or name the step, such as `steps.NAME.outcome`";
            report.add(Finding::warning(code::NO_EVIDENCE, draft.place, message).help(help));
        }
    }
}

/// An unknown action counts as changing: it is reported already.
fn is_changing(steps: &[StepDraft<'_>], index: usize, catalog: &Catalog) -> bool {
    steps.get(index).is_some_and(|draft| {
        let is_reading = catalog.get(&draft.kind).is_some_and(|spec| spec.safety == Safety::ReadOnly);
        draft.section == Section::Actions && !draft.is_wait() && !is_reading
    })
}

/// What the changing steps are about.
fn subjects(steps: &[StepDraft<'_>], changing: &BTreeSet<usize>, order: &StepOrder, catalog: &Catalog) -> Names {
    let mut subjects = Names::new();
    for draft in changing.iter().filter_map(|index| steps.get(*index)) {
        let own = parameters(draft, catalog);
        let deciding = [draft.condition, draft.for_each].into_iter().flatten().fold(own.clone(), |mut names, field| {
            collect(field.node, &mut names);
            names
        });
        for (index, reading) in steps.iter().enumerate() {
            let is_reading = reading.section == Section::Actions && !changing.contains(&index);
            if is_reading && is_named(index, &deciding, &Names::new(), steps, order, catalog) {
                subjects.extend(parameters(reading, catalog));
            }
        }
        subjects.extend(own);
    }
    subjects.retain(|name| !NO_SUBJECTS.contains(&name.as_str()));
    subjects
}

/// Whether `names` name the step at `index`, or an output of it that is not among `shadowed`.
fn is_named(
    index: usize,
    names: &Names,
    shadowed: &Names,
    steps: &[StepDraft<'_>],
    order: &StepOrder,
    catalog: &Catalog,
) -> bool {
    let of_step = |name: &String| {
        let mut parts = name.split('.');
        parts.next() == Some("steps") && parts.next() == Some(order.name(index))
    };
    let outputs = steps.get(index).map(|draft| outputs(draft, catalog)).unwrap_or_default();
    let is_output = |name: &String| {
        let root = name.split('.').next().unwrap_or_default();
        outputs.contains(root) && !shadowed.contains(root)
    };
    names.iter().any(|name| of_step(name) || is_output(name))
}

/// The bare names of a step's outputs; of one that fans out there are none.
fn outputs(draft: &StepDraft<'_>, catalog: &Catalog) -> Names {
    let spec = catalog.get(&draft.kind).filter(|_| draft.for_each.is_none());
    spec.into_iter().flat_map(|spec| spec.outputs).map(|(name, _)| (*name).to_owned()).collect()
}

/// What the parameters name, the inherited ones included.
fn parameters(draft: &StepDraft<'_>, catalog: &Catalog) -> Names {
    let mut names = Names::new();
    if let Some(node) = draft.parameters {
        collect(node, &mut names);
    }
    let inherits = catalog.get(&draft.kind).into_iter().flat_map(|spec| spec.inherits);
    let is_given = |name: &str| draft.parameters.is_some_and(|node| node.child(name).is_some());
    names.extend(inherits.filter(|name| !is_given(name)).map(|name| (*name).to_owned()));
    names
}

fn collect(node: &Node, names: &mut Names) {
    match &node.kind {
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) => {}
        Kind::Text(text) if is_template(text) => {
            // A text that is not a template is reported already.
            names.extend(Template::compile(text).iter().flat_map(Template::names));
        }
        Kind::Text(text) => drop(names.insert(format!("{text:?}"))),
        Kind::List(items) => items.iter().for_each(|item| collect(item, names)),
        Kind::Object(entries) => entries.iter().for_each(|entry| collect(&entry.value, names)),
    }
}
