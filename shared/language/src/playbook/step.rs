//! The keys of one entry of `actions` or `verify`.

use heal_engine::catalog::{Catalog, WAIT};
use heal_engine::limit;
use heal_engine::playbook::{OnFailure, OnUnavailable, Retry};
use heal_engine::suggest;

use super::approval::{self, ApprovalDraft};
use super::retry::{old_retries, retry_of};
use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};

/// Keys of every step.
pub(super) const KEYS: [&str; 8] =
    ["type", "name", "condition", "needs", "timeout_seconds", "on_failure", "on_unavailable", "parameters"];
/// Keys that only an action has.
pub(super) const ACTION_KEYS: [&str; 4] = ["retry", "for_each", "max_parallel", "approval"];
/// Keys that only a verify entry has.
pub(super) const VERIFY_KEYS: [&str; 3] = ["until", "within_seconds", "every_seconds"];

pub(super) const ON_FAILURE: [(&str, OnFailure); 2] = [("stop", OnFailure::Stop), ("continue", OnFailure::Continue)];
pub(super) const ON_UNAVAILABLE: [(&str, OnUnavailable); 3] =
    [("skip", OnUnavailable::Skip), ("fail", OnUnavailable::Fail), ("retry", OnUnavailable::Retry)];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Actions,
    Verify,
}

/// A step as written: its keys read, its templates and needs not yet checked.
#[derive(Debug)]
pub(super) struct StepDraft<'n> {
    pub(super) section: Section,
    /// The span for findings about the step as a whole: its type, or its first key.
    pub(super) place: Span,
    /// Empty if the file has none.
    pub(super) kind: String,
    pub(super) name: Option<(String, Span)>,
    pub(super) condition: Option<Field<'n>>,
    pub(super) needs: Option<Vec<(&'n str, Span)>>,
    pub(super) retry: Option<Retry>,
    pub(super) timeout: Option<(u64, Span)>,
    pub(super) on_failure: OnFailure,
    pub(super) on_unavailable: OnUnavailable,
    pub(super) for_each: Option<Field<'n>>,
    pub(super) max_parallel: Option<u32>,
    pub(super) approval: Option<ApprovalDraft<'n>>,
    pub(super) parameters: Option<&'n Node>,
    /// They are not an object; further checks of them would mislead.
    pub(super) has_wrong_parameters: bool,
    pub(super) until: Option<Field<'n>>,
    pub(super) within: Option<(u64, Span)>,
    pub(super) every_seconds: Option<u64>,
}

pub(super) fn read<'n>(node: &'n Node, section: Section, catalog: &Catalog, report: &mut Report) -> StepDraft<'n> {
    let what = match section {
        Section::Actions => "a step",
        Section::Verify => "a verify entry",
    };
    let head = node.entries().first().map_or(node.span, |entry| entry.key_span);
    let mut draft = StepDraft::empty(section, head);
    let Some(mut fields) = Fields::from_object(node, what, report) else { return draft };
    if let Some(field) = fields.take_or_old("type", &["action"], report) {
        draft.set_kind(&field, catalog, report);
    } else {
        let message = format!("{what} needs a `type`, the action that it performs");
        report.add(Finding::error(code::MISSING_KEY, head, message));
    }
    draft.read_common(&mut fields, report);
    draft.read_repetition(&mut fields, report);
    draft.read_verify(&mut fields, report);
    let own: &[&str] = match section {
        Section::Actions => &ACTION_KEYS,
        Section::Verify => &VERIFY_KEYS,
    };
    fields.finish(&[&KEYS, own].concat(), |key| misplaced(section, key), report);
    draft
}

fn misplaced(section: Section, key: &str) -> Option<&'static str> {
    match section {
        Section::Actions if VERIFY_KEYS.contains(&key) => Some("only entries of `verify` have it"),
        Section::Verify if key == "retry" || key == "max_retries" => {
            Some("a verify entry reads again every `every_seconds` until `within_seconds` have passed")
        }
        Section::Verify if key == "approval" => Some("a verify entry only reads, so nobody has to be asked"),
        Section::Verify if ACTION_KEYS.contains(&key) => Some("a verify entry reads one thing, only actions fan out"),
        Section::Actions | Section::Verify => None,
    }
}

impl<'n> StepDraft<'n> {
    fn empty(section: Section, place: Span) -> Self {
        Self {
            section,
            place,
            kind: String::new(),
            name: None,
            condition: None,
            needs: None,
            retry: None,
            timeout: None,
            on_failure: OnFailure::default(),
            on_unavailable: OnUnavailable::default(),
            for_each: None,
            max_parallel: None,
            approval: None,
            parameters: None,
            has_wrong_parameters: false,
            until: None,
            within: None,
            every_seconds: None,
        }
    }

    pub(super) fn is_wait(&self) -> bool {
        self.kind == WAIT
    }

    fn set_kind(&mut self, field: &Field<'n>, catalog: &Catalog, report: &mut Report) {
        self.place = field.node.span;
        let Some(kind) = field.text(report) else { return };
        kind.clone_into(&mut self.kind);
        if self.is_wait() {
            if self.section == Section::Verify {
                let message = "a verify entry has to read something, a wait does not";
                let help = "`within_seconds` and `every_seconds` say how long and how often it reads";
                report.add(Finding::error(code::WRONG_VALUE, self.place, message).help(help));
            }
            return;
        }
        if catalog.get(kind).is_none() {
            let names = || catalog.iter().map(|spec| spec.name).chain([WAIT]);
            let finding =
                Finding::error(code::UNKNOWN_ACTION, self.place, format!("unknown action `{}`", quoted(kind)));
            let help = format!("the actions are {}", names().collect::<Vec<_>>().join(", "));
            report.add(finding.suggest(suggest::closest(kind, names())).help(help));
        }
    }

    fn read_common(&mut self, fields: &mut Fields<'n>, report: &mut Report) {
        let name = fields.take("name");
        self.name = name.and_then(|field| field.text(report).map(|name| (name.to_owned(), field.node.span)));
        self.condition = fields.take("condition");
        self.needs = fields.take("needs").and_then(|field| needs(&field, report));
        let timeout = fields.take_or_old("timeout_seconds", &["timeout"], report);
        self.warn_of_wait(timeout, report);
        self.timeout = timeout.and_then(|field| seconds(&field, report));
        let on_failure = fields.take("on_failure");
        self.warn_of_wait(on_failure, report);
        self.on_failure = on_failure.and_then(|field| field.choice(&ON_FAILURE, report)).unwrap_or_default();
        let on_unavailable = fields.take("on_unavailable");
        self.warn_of_wait(on_unavailable, report);
        self.on_unavailable =
            on_unavailable.and_then(|field| field.choice(&ON_UNAVAILABLE, report)).unwrap_or_default();
        if let Some(field) = fields.take_or_old("parameters", &["params", "with"], report)
            && field.node.kind != Kind::Null
        {
            match field.node.kind {
                Kind::Object(_) => self.parameters = Some(field.node),
                Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) => {
                    field.wrong_type("an object of names and values", report);
                    self.has_wrong_parameters = true;
                }
            }
        }
    }

    fn read_repetition(&mut self, fields: &mut Fields<'n>, report: &mut Report) {
        if self.section == Section::Verify {
            return;
        }
        let retry = fields.take("retry");
        self.warn_of_wait(retry, report);
        let old = fields.take("max_retries");
        self.retry = match (retry, old) {
            (Some(field), None) => retry_of(&field, report),
            (None, Some(field)) => old_retries(&field, report),
            (None, None) => None,
            (Some(_), Some(field)) => {
                let message = "`max_retries` is the old key for `retry`, which is set too";
                report.add(Finding::error(code::DUPLICATE_KEY, field.key_span, message).help("remove one of the two"));
                None
            }
        };
        let approval = fields.take("approval");
        self.warn_of_wait(approval, report);
        self.approval = approval.and_then(|field| approval::read(&field, report)).filter(|_| !self.is_wait());
        self.for_each = fields.take("for_each");
        let max_parallel = fields.take("max_parallel");
        if let (true, Some(field)) = (self.is_wait(), self.for_each) {
            let message = "`for_each` does not belong here: a wait cannot fan out";
            report.add(Finding::error(code::MISPLACED_KEY, field.key_span, message));
        }
        if let (None, Some(field)) = (self.for_each, max_parallel) {
            let message = "`max_parallel` has no effect without `for_each`";
            report.add(Finding::warning(code::NO_EFFECT, field.key_span, message));
        }
        let most = u64::try_from(limit::IN_FLIGHT).unwrap_or(u64::MAX);
        self.max_parallel = max_parallel
            .and_then(|field| field.whole(1..=most, "attempts at a time", report))
            .and_then(|value| u32::try_from(value).ok());
    }

    fn read_verify(&mut self, fields: &mut Fields<'n>, report: &mut Report) {
        if self.section == Section::Actions {
            return;
        }
        self.until = fields.take("until");
        let within = fields.take("within_seconds");
        self.within = within.and_then(|field| seconds(&field, report));
        let every = fields.take("every_seconds");
        self.every_seconds = every.and_then(|field| seconds(&field, report)).map(|(seconds, _)| seconds);
        if self.until.is_none() {
            let finding = Finding::error(
                code::MISSING_KEY,
                self.place,
                "a verify entry needs `until`, the condition that it waits for",
            );
            report.add(finding.help("such as `until: \"{{ not worker_unhealthy }}\"`"));
        }
        if within.is_none() {
            let message = "a verify entry needs `within_seconds`, how long it waits";
            report.add(Finding::error(code::MISSING_KEY, self.place, message));
        }
        let rhythm = every.zip(self.every_seconds).zip(self.within);
        if let Some(((field, every), (within, _))) = rhythm.filter(|((_, every), (within, _))| every > within) {
            let message = format!("reading every {every} seconds within {within} seconds is reading once");
            report.add(Finding::warning(code::NO_EFFECT, field.node.span, message));
        }
    }

    /// A wait makes no attempt, so it can neither fail nor find a service unavailable.
    fn warn_of_wait(&self, field: Option<Field<'_>>, report: &mut Report) {
        if let (true, Some(field)) = (self.is_wait(), field) {
            let message = format!("`{}` has no effect in a wait", field.key);
            report.add(Finding::warning(code::NO_EFFECT, field.key_span, message));
        }
    }
}

fn seconds(field: &Field<'_>, report: &mut Report) -> Option<(u64, Span)> {
    field.whole(1..=limit::DURATION_SECONDS, "seconds", report).map(|seconds| (seconds, field.node.span))
}

fn needs<'n>(field: &Field<'n>, report: &mut Report) -> Option<Vec<(&'n str, Span)>> {
    if let Kind::Text(name) = &field.node.kind {
        let message = "`needs` has to be a list, found a text";
        let help = format!("write `needs: [{}]`", quoted(name));
        report.add(Finding::error(code::WRONG_TYPE, field.node.span, message).help(help));
        return None;
    }
    let mut needs: Vec<(&str, Span)> = Vec::new();
    for node in field.list(report)? {
        let Kind::Text(name) = &node.kind else {
            let message = format!("`needs` has the names of steps, found {}", node.brief());
            report.add(Finding::error(code::WRONG_TYPE, node.span, message));
            continue;
        };
        needs.push((name, node.span));
    }
    Some(needs)
}
