//! Whether a budget can fire: it has effects to count, and no stricter one stops them all before.

use std::collections::BTreeSet;

use heal_engine::catalog::{ActionSpec, Safety};
use heal_engine::playbook::Playbook;
use heal_guard::{Budget, Effect, Selector, limit};

use super::budget::Draft;
use super::known::Known;
use crate::code;
use crate::diagnostic::Span;
use crate::report::{Finding, Report};

/// A playbook that no budget names.
const ANY_OTHER: &str = "";

/// Reports budgets that can never fire, and effects that too many budgets count.
pub(super) fn check(drafts: &[Draft], known: Known<'_>, report: &mut Report) {
    for (index, draft) in drafts.iter().enumerate() {
        let Budget { name, applies_to, .. } = &draft.budget;
        let finding = admits_nothing(&format!("budget `{name}`"), applies_to, draft.span, known)
            .or_else(|| is_shadowed(draft, index, drafts));
        finding.into_iter().for_each(|finding| report.add(finding));
    }
    too_many(drafts, known, report);
}

/// The fault of a rule that no effect is for.
pub(super) fn admits_nothing(rule: &str, applies_to: &Selector, span: Span, known: Known<'_>) -> Option<Finding> {
    let never = |why: &str| format!("{rule} can never fire: {why}");
    let admitted: Vec<&ActionSpec> = known.catalog.iter().filter(|spec| admits(applies_to, spec, None)).collect();
    if admitted.is_empty() {
        let message = never("none of its actions calls one of its services");
        return Some(Finding::error(code::UNREACHABLE_RULE, span, message));
    }
    if admitted.iter().all(|spec| spec.safety == Safety::ReadOnly) {
        return Some(Finding::warning(code::UNREACHABLE_RULE, span, never("its actions only read")));
    }
    let playbooks = known.playbooks.filter(|_| !applies_to.playbooks.is_empty())?;
    let mut steps = playbooks.iter().filter(|it| applies_to.playbooks.contains(&it.name)).flat_map(Playbook::steps);
    if steps.any(|step| admitted.iter().any(|spec| spec.name == step.kind && spec.safety != Safety::ReadOnly)) {
        return None;
    }
    let message = never("its playbooks have no step that it would count");
    Some(Finding::warning(code::UNREACHABLE_RULE, span, message))
}

/// The fault of a budget beside a stricter one. Of two equal ones the later has it.
fn is_shadowed(draft: &Draft, index: usize, drafts: &[Draft]) -> Option<Finding> {
    let stricter = drafts.iter().enumerate().find(|(other, it)| {
        let is_stricter = *other != index && shadows(&it.budget, &draft.budget);
        is_stricter && (*other < index || !shadows(&draft.budget, &it.budget))
    });
    let (_, Draft { budget: stricter, .. }) = stricter?;
    let Budget { name, max, window_seconds, concurrent, .. } = stricter;
    let when = if *concurrent { "at any one time".to_owned() } else { format!("in {window_seconds} s") };
    let message =
        format!("budget `{}` can never fire: `{name}` allows only {max} of the same effects {when}", draft.budget.name);
    Some(Finding::warning(code::UNREACHABLE_RULE, draft.span, message))
}

/// Whether `stricter` is full whenever `other` would be: it counts at least the same effects in at least the same time, and allows no more.
fn shadows(stricter: &Budget, other: &Budget) -> bool {
    stricter.max_percent <= other.max_percent
        && stricter.concurrent == other.concurrent
        && (stricter.key.is_empty() || stricter.key == other.key)
        && stricter.max <= other.max
        && stricter.window_seconds >= other.window_seconds
        && includes(&stricter.applies_to, &other.applies_to)
}

/// Whether `all` admits every change that `part` admits.
pub(super) fn covers(all: &Selector, part: &Selector, known: Known<'_>) -> bool {
    let is_change = |spec: &&ActionSpec| spec.safety != Safety::ReadOnly && admits(part, spec, None);
    let of_all = Selector { playbooks: Vec::new(), ..all.clone() };
    let playbooks = all.playbooks.is_empty()
        || (!part.playbooks.is_empty() && part.playbooks.iter().all(|name| all.playbooks.contains(name)));
    playbooks && known.catalog.iter().filter(is_change).all(|spec| admits(&of_all, spec, None))
}

/// Whether some change is admitted by both.
pub(super) fn overlap(one: &Selector, other: &Selector, known: Known<'_>) -> bool {
    let playbooks = one.playbooks.is_empty()
        || other.playbooks.is_empty()
        || one.playbooks.iter().any(|name| other.playbooks.contains(name));
    let both = |spec: &ActionSpec| admits(one, spec, None) && admits(other, spec, None);
    playbooks && known.catalog.iter().any(|spec| spec.safety != Safety::ReadOnly && both(spec))
}

/// Whether `all` admits every effect that `part` admits, whatever actions there are.
fn includes(all: &Selector, part: &Selector) -> bool {
    let includes = |of: fn(&Selector) -> &[String]| {
        let (all, part) = (of(all), of(part));
        all.is_empty() || (!part.is_empty() && part.iter().all(|name| all.contains(name)))
    };
    includes(|selector| &selector.actions)
        && includes(|selector| &selector.playbooks)
        && includes(|selector| &selector.services)
}

/// Reports, at the first budget over the limit, an effect that too many count.
fn too_many(drafts: &[Draft], known: Known<'_>, report: &mut Report) {
    let named = drafts.iter().flat_map(|draft| &draft.budget.applies_to.playbooks).map(String::as_str);
    let playbooks: BTreeSet<&str> = named.chain([ANY_OTHER]).collect();
    for spec in known.catalog.iter().filter(|spec| spec.safety != Safety::ReadOnly) {
        for playbook in &playbooks {
            let mut counting = drafts.iter().filter(|it| admits(&it.budget.applies_to, spec, Some(playbook)));
            if let Some(draft) = counting.nth(limit::BUDGETS_PER_EFFECT) {
                let of = if playbook.is_empty() { "any playbook" } else { playbook };
                let most = limit::BUDGETS_PER_EFFECT;
                let message = format!("more than {most} budgets count `{}` of {of}, the limit is {most}", spec.name);
                report.add(Finding::error(code::BUDGET_EXCEEDED, draft.span, message));
                // One finding says it: further actions are mostly those of the same budgets.
                return;
            }
        }
    }
}

/// Whether the selector admits the action, in the playbook if one is given.
pub(super) fn admits(selector: &Selector, spec: &ActionSpec, playbook: Option<&str>) -> bool {
    let of_playbook = playbook.or(selector.playbooks.first().map(String::as_str)).unwrap_or(ANY_OTHER);
    let effect = Effect { service: spec.service.to_owned(), ..Effect::new(spec.name, of_playbook, "") };
    selector.admits(&effect)
}
