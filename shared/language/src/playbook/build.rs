//! Builds the model from the keys, and checks every template and parameter.

use heal_engine::catalog::{Catalog, Safety};
use heal_engine::playbook::{self as model, Condition, ForEach, Playbook, Step, Until};
use heal_engine::template::is_template;

use super::document::{Document, Trigger};
use super::order::StepOrder;
use super::parameters::Schemas;
use super::step::{Section, StepDraft};
use super::variables::Variables;
use super::{approval, budget, contract, evidence};
use crate::code;
use crate::condition::{self, CheckedCondition};
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report};
use crate::template::{self, Context, EvaluationPoint};
use crate::yaml::entries_to_json;

/// Default of `max_parallel`: as many as the guide's batch reallocation has in flight.
pub(super) const DEFAULT_MAX_PARALLEL: u32 = 10;
/// Default of `every_seconds` of a verify entry.
pub(super) const DEFAULT_EVERY_SECONDS: u64 = 5;

/// The triggers of the three playbooks to which the platform routes by default (contracts, section 5).
const DEFAULT_TRIGGERS: [(&str, &str); 3] = [
    ("ticket_timeout_recovery", "TICKET_TIMEOUT"),
    ("worker_failure_recovery", "WORKER_FAILURE"),
    ("sla_violation_mitigation", "SLA_VIOLATION"),
];

/// The playbook. It is valid only if the report has no error.
pub(super) fn build(source: &str, document: &Document<'_>, catalog: &Catalog, report: &mut Report) -> Playbook {
    let schema = document.parameters_schema.and_then(|node| contract::check(node, report));
    let order = StepOrder::resolve(&document.steps, report);
    let variables = Variables::collect(&document.steps, schema.as_ref(), &order, catalog);
    let cx = Context { source, names: &variables };
    let triggers = match &document.triggers {
        Some(triggers) => triggers.iter().map(|trigger| self::trigger(cx, trigger, report)).collect(),
        None => default_triggers(&document.name),
    };
    let concurrency_key = document.concurrency_key.map(|(text, span)| concurrency_key(cx, text, span, report));
    let asked = document.approval.as_ref();
    let approval = asked.map(|draft| approval::build(cx, draft, EvaluationPoint::BeforeRun, report));
    let mut schemas = Schemas::new(catalog);
    let mut actions = Vec::with_capacity(document.steps.len());
    let mut verify = Vec::new();
    for (index, draft) in document.steps.iter().enumerate() {
        schemas.check(draft, index, &variables, report);
        let step = step(cx, draft, index, document, &order, catalog, report);
        match draft.section {
            Section::Actions => actions.push(step),
            Section::Verify => verify.push(step),
        }
    }
    budget::check(document, &order, report);
    evidence::check(&document.steps, &order, catalog, report);
    Playbook {
        name: document.name.clone(),
        description: document.description.clone(),
        timeout_seconds: document.timeout_seconds,
        triggers,
        parameters_schema: schema,
        concurrency_key,
        approval,
        actions,
        verify,
        plan_gate: document.plan_gate,
    }
}

fn trigger(cx: Context<'_>, trigger: &Trigger<'_>, report: &mut Report) -> model::Trigger {
    let decided =
        trigger.condition.and_then(|field| condition::condition(cx, &field, EvaluationPoint::BeforeRun, report));
    model::Trigger { incident_type: trigger.incident_type.clone(), condition: decided.map(|decided| decided.condition) }
}

fn default_triggers(name: &str) -> Vec<model::Trigger> {
    let own = DEFAULT_TRIGGERS.iter().filter(|(playbook, _)| *playbook == name);
    own.map(|(_, incident_type)| model::Trigger { incident_type: (*incident_type).to_owned(), condition: None })
        .collect()
}

fn concurrency_key(cx: Context<'_>, text: &str, span: Span, report: &mut Report) -> String {
    template::check(cx, text, span, EvaluationPoint::BeforeRun, report);
    if !is_template(text) {
        let message = "this key is the same for every incident: one run of this playbook at a time";
        let help = "such as \"ticket:{{ ticket_id }}\"";
        report.add(Finding::warning(code::NO_EFFECT, span, message).help(help));
    }
    text.to_owned()
}

fn step(
    cx: Context<'_>,
    draft: &StepDraft<'_>,
    index: usize,
    document: &Document<'_>,
    order: &StepOrder,
    catalog: &Catalog,
    report: &mut Report,
) -> Step {
    let spec = catalog.get(&draft.kind);
    let in_for_each = draft.for_each.is_some();
    let point = EvaluationPoint::Step { index, in_for_each, has_own_outputs: false };
    let whole = EvaluationPoint::Step { index, in_for_each: false, has_own_outputs: false };
    let for_each = draft.for_each.map(|field| for_each(cx, draft, &field, whole, report));
    if let Some(parameters) = draft.parameters {
        template::check_all(cx, parameters, point, report);
    }
    let timeout = draft.timeout.map(|(seconds, _)| seconds).or(spec.map(|spec| spec.default_timeout_seconds));
    Step {
        name: order.name(index).to_owned(),
        kind: draft.kind.clone(),
        condition: draft.condition.and_then(|field| run_condition(cx, &field, point, report)),
        needs: order.needs.get(index).into_iter().flatten().map(|need| order.name(*need).to_owned()).collect(),
        retry: draft.retry.unwrap_or_default(),
        // A wait has no spec and no timeout of its own.
        timeout_seconds: timeout.unwrap_or(document.timeout_seconds).min(document.timeout_seconds),
        on_failure: draft.on_failure,
        on_unavailable: draft.on_unavailable,
        for_each,
        parameters: draft.parameters.map(|node| entries_to_json(node.entries())).unwrap_or_default(),
        approval: draft.approval.as_ref().map(|asked| approval::build(cx, asked, point, report)),
        until: until(cx, draft, index, report),
        safety: spec.map_or(Safety::Idempotent, |spec| spec.safety),
        critical: spec.is_some_and(|spec| spec.critical),
        service: spec.map(|spec| spec.service.to_owned()).unwrap_or_default(),
        inherits: names(spec.into_iter().flat_map(|spec| spec.inherits).copied()),
        outputs: names(spec.into_iter().flat_map(|spec| spec.outputs).map(|(name, _)| *name)),
    }
}

fn names<'a>(names: impl Iterator<Item = &'a str>) -> Vec<String> {
    names.map(ToOwned::to_owned).collect()
}

fn run_condition(cx: Context<'_>, field: &Field<'_>, point: EvaluationPoint, report: &mut Report) -> Option<Condition> {
    let CheckedCondition { condition, always } = condition::condition(cx, field, point, report)?;
    if always == Some(false) {
        let message = "this step can never run: its condition is always false";
        let help = "comment the step out until it is needed";
        report.add(Finding::error(code::UNREACHABLE_STEP, field.node.span, message).help(help));
    }
    Some(condition)
}

fn for_each(
    cx: Context<'_>,
    draft: &StepDraft<'_>,
    field: &Field<'_>,
    point: EvaluationPoint,
    report: &mut Report,
) -> ForEach {
    if condition::list(cx, field, point, report) == Some(true) {
        let message = "this step can never run: its list is always empty";
        report.add(Finding::error(code::UNREACHABLE_STEP, field.node.span, message));
    }
    ForEach { items: field.node.to_json(), max_parallel: draft.max_parallel.unwrap_or(DEFAULT_MAX_PARALLEL) }
}

fn until(cx: Context<'_>, draft: &StepDraft<'_>, index: usize, report: &mut Report) -> Option<Until> {
    let field = draft.until?;
    let point = EvaluationPoint::Step { index, in_for_each: false, has_own_outputs: true };
    let CheckedCondition { condition, always } = condition::condition(cx, &field, point, report)?;
    if let Some(value) = always {
        let message = format!("`until` is always {value}: it does not depend on what was read");
        let finding = if value {
            Finding::warning(code::NO_EFFECT, field.node.span, message)
        } else {
            Finding::error(code::WRONG_VALUE, field.node.span, message)
        };
        report.add(finding.help("such as \"{{ not worker_unhealthy }}\""));
    }
    let (within_seconds, _) = draft.within?;
    let every_seconds = draft.every_seconds.unwrap_or(DEFAULT_EVERY_SECONDS).min(within_seconds);
    Some(Until { condition, within_seconds, every_seconds })
}
