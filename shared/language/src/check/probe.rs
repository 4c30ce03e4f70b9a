//! The keys of a probe, by its type.

use std::ops::RangeInclusive;

use crate::code;
use crate::diagnostic::Span;
use crate::field::{Field, Fields};
use crate::report::{Finding, Report, quoted};
use crate::yaml::{Kind, Node};
use heal_engine::check::{
    Dependency, GrpcHealth, Http, Method, OverdueTickets, Probe, ProbeKind, Service, StuckWorkflows, TICKET_STATUSES,
    WORKFLOW_STATES,
};
use heal_engine::limit;
use heal_engine::suggest;
use heal_engine::template::is_template;

mod address;

/// Seconds of one look where the probe says nothing.
pub(super) const DEFAULT_TIMEOUT_SECONDS: u64 = 10;
/// Targets that one look reports or asks about where the probe says nothing.
pub(super) const DEFAULT_LIMIT: u64 = 100;
/// The status that is well where the probe says nothing.
pub(super) const DEFAULT_STATUS: u16 = 200;
/// The state that a workflow is stuck in where the probe says nothing.
pub(super) const DEFAULT_STATE: &str = "PAUSED";
/// The status of tickets that should have ended where the probe says nothing.
pub(super) const DEFAULT_TICKET_STATUS: &str = "RUNNING";

pub(super) const METHODS: [(&str, Method); 2] = [("GET", Method::Get), ("HEAD", Method::Head)];

/// The keys that a probe of this type has.
pub(super) const fn keys(kind: ProbeKind) -> &'static [&'static str] {
    match kind {
        ProbeKind::Http => &["type", "url", "method", "expect_status", "expect_body_contains", "timeout_seconds"],
        ProbeKind::GrpcHealth => &["type", "host", "port", "service", "tls", "spiffe_id", "timeout_seconds"],
        ProbeKind::OverdueTickets => &["type", "status", "overdue_seconds", "limit", "timeout_seconds"],
        ProbeKind::StuckWorkflows => &["type", "workflow_ids", "state", "stuck_seconds", "limit", "timeout_seconds"],
        ProbeKind::Dependency => &["type", "service", "timeout_seconds"],
    }
}

/// None, and findings, where it cannot be used.
pub(super) fn read(field: &Field<'_>, report: &mut Report) -> Option<Probe> {
    let head = field.node.entries().first().map_or(field.node.span, |entry| entry.key_span);
    let mut fields = Fields::of(field.node, "a probe", report)?;
    let kinds = ProbeKind::ALL.map(|kind| (kind.as_str(), kind));
    let Some(kind) = fields.take("type") else {
        let help = format!("it is one of {}", ProbeKind::ALL.map(ProbeKind::as_str).join(", "));
        report.add(Finding::error(code::MISSING_KEY, head, "a probe needs a `type`").help(help));
        return None;
    };
    let kind = kind.choice(&kinds, report)?;
    let mut keys = Keys { fields, head, kind };
    let probe = match kind {
        ProbeKind::Http => keys.http(report),
        ProbeKind::GrpcHealth => keys.grpc_health(report),
        ProbeKind::OverdueTickets => keys.overdue_tickets(report),
        ProbeKind::StuckWorkflows => keys.stuck_workflows(report),
        ProbeKind::Dependency => keys.dependency(report),
    };
    keys.fields.finish(self::keys(kind), |_| None, report);
    probe
}

/// The keys that are left, and what they are the keys of.
struct Keys<'n> {
    fields: Fields<'n>,
    head: Span,
    kind: ProbeKind,
}

impl<'n> Keys<'n> {
    fn http(&mut self, report: &mut Report) -> Option<Probe> {
        let url = self.required("url", report).and_then(|field| fixed(&field, address::is_url, address::URL, report));
        let method = self.fields.take("method");
        let wanted = method.map_or(Some(Method::Get), |field| field.choice(&METHODS, report));
        let expect_status = self.fields.take("expect_status");
        let expect_status = expect_status.map_or(Some(vec![DEFAULT_STATUS]), |field| statuses(&field, report));
        let contains = self.fields.take("expect_body_contains");
        let expect_body_contains = contains.and_then(|field| body_text(&field, report));
        if let (Some(Method::Head), Some(field)) = (wanted, contains) {
            let message = "the answer to HEAD has no body that could contain anything";
            report.add(Finding::error(code::WRONG_VALUE, field.key_span, message).help("write `method: GET`"));
        }
        let timeout_seconds = self.timeout(report);
        Some(Probe::Http(Http {
            url: url?.to_owned(),
            method: wanted?,
            expect_status: expect_status?,
            expect_body_contains,
            timeout_seconds,
        }))
    }

    fn grpc_health(&mut self, report: &mut Report) -> Option<Probe> {
        let host = self.required("host", report);
        let host = host.and_then(|field| fixed(&field, address::is_host, address::HOST, report));
        let port = self.required("port", report).and_then(|field| port(&field, report));
        let service = self.fields.take("service").and_then(|field| field.text(report)).unwrap_or_default();
        let tls = self.fields.take("tls").map_or(Some(false), |field| flag(&field, report));
        let spiffe_id = self.fields.take("spiffe_id");
        if let (Some(false), Some(field)) = (tls, spiffe_id) {
            let message = "`spiffe_id` changes nothing without `tls: true`";
            report.add(Finding::warning(code::NO_EFFECT, field.key_span, message));
        }
        let spiffe_id = spiffe_id.and_then(|field| fixed(&field, address::is_spiffe_id, address::SPIFFE_ID, report));
        let timeout_seconds = self.timeout(report);
        Some(Probe::GrpcHealth(GrpcHealth {
            host: host?.to_owned(),
            port: port?,
            service: service.to_owned(),
            tls: tls?,
            spiffe_id: spiffe_id.map(ToOwned::to_owned),
            timeout_seconds,
        }))
    }

    fn overdue_tickets(&mut self, report: &mut Report) -> Option<Probe> {
        let status = self.word("status", &TICKET_STATUSES, DEFAULT_TICKET_STATUS, report);
        let overdue_seconds = self.whole("overdue_seconds", 0..=limit::DURATION_SECONDS, "seconds", 0, report);
        let limit = self.limit(report);
        let timeout_seconds = self.timeout(report);
        Some(Probe::OverdueTickets(OverdueTickets { status: status?, overdue_seconds, limit, timeout_seconds }))
    }

    fn stuck_workflows(&mut self, report: &mut Report) -> Option<Probe> {
        let ids = self.fields.take("workflow_ids");
        let workflow_ids = ids.map_or(Some(Vec::new()), |field| texts(&field, report));
        let state = self.word("state", &WORKFLOW_STATES, DEFAULT_STATE, report);
        let stuck = self.required("stuck_seconds", report);
        let stuck = stuck.and_then(|field| field.whole(1..=limit::DURATION_SECONDS, "seconds", report));
        let limit = self.limit(report);
        let timeout_seconds = self.timeout(report);
        Some(Probe::StuckWorkflows(StuckWorkflows {
            workflow_ids: workflow_ids?,
            state: state?,
            stuck_seconds: stuck?,
            limit,
            timeout_seconds,
        }))
    }

    fn dependency(&mut self, report: &mut Report) -> Option<Probe> {
        let services = Service::ALL.map(|service| (service.as_str(), service));
        let service = self.required("service", report).and_then(|field| field.choice(&services, report));
        let timeout_seconds = self.timeout(report);
        Some(Probe::Dependency(Dependency { service: service?, timeout_seconds }))
    }

    fn required(&mut self, key: &'static str, report: &mut Report) -> Option<Field<'n>> {
        let field = self.fields.take(key);
        if field.is_none() {
            let message = format!("a probe of type `{}` needs `{key}`", self.kind.as_str());
            report.add(Finding::error(code::MISSING_KEY, self.head, message));
        }
        field
    }

    fn timeout(&mut self, report: &mut Report) -> u64 {
        self.whole("timeout_seconds", 1..=limit::PROBE_SECONDS, "seconds", DEFAULT_TIMEOUT_SECONDS, report)
    }

    fn limit(&mut self, report: &mut Report) -> u32 {
        let limit = self.whole("limit", 1..=limit::CHECK_TARGETS as u64, "targets", DEFAULT_LIMIT, report);
        u32::try_from(limit).unwrap_or(u32::MAX)
    }

    /// A whole number, or the default where it is left out or wrong.
    fn whole(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        unit: &str,
        default: u64,
        report: &mut Report,
    ) -> u64 {
        self.fields.take(key).and_then(|field| field.whole(range, unit, report)).unwrap_or(default)
    }

    /// One of some words of the platform, in any case, as the platform writes it.
    fn word(&mut self, key: &'static str, words: &[&str], default: &str, report: &mut Report) -> Option<String> {
        let Some(field) = self.fields.take(key) else { return Some(default.to_owned()) };
        let text = field.text(report)?;
        if let Some(word) = words.iter().find(|word| word.eq_ignore_ascii_case(text)) {
            return Some((*word).to_owned());
        }
        let message = format!("`{key}` cannot be `{}`", quoted(text));
        let finding = Finding::error(code::WRONG_VALUE, field.node.span, message);
        let finding = finding.suggest(suggest::closest(text, words.iter().copied()));
        report.add(finding.help(format!("it is one of {}", words.join(", "))));
        None
    }
}

/// A text that is the same for every look, and of a certain form.
fn fixed<'n>(field: &Field<'n>, fits: fn(&str) -> bool, needed: &str, report: &mut Report) -> Option<&'n str> {
    let text = field.text(report)?;
    if is_template(text) {
        let message = format!("`{}` is looked at as it is written, a template has no variables there", field.key);
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        return None;
    }
    if !fits(text) {
        // What stands before an `@` may be a password.
        let found =
            if text.contains('@') { "one with an `@`".to_owned() } else { format!("the text \"{}\"", quoted(text)) };
        let message = format!("`{}` has to be {needed}, found {found}", field.key);
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        return None;
    }
    Some(text)
}

fn port(field: &Field<'_>, report: &mut Report) -> Option<u16> {
    let Kind::Number(number) = &field.node.kind else {
        field.wrong_type("a port", report);
        return None;
    };
    let port = number.as_u64().and_then(|number| u16::try_from(number).ok()).filter(|port| *port > 0);
    if port.is_none() {
        let message = format!("`{}` is {number}, a port is a whole number from 1 to {}", field.key, u16::MAX);
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
    }
    port
}

fn flag(field: &Field<'_>, report: &mut Report) -> Option<bool> {
    match &field.node.kind {
        Kind::Boolean(value) => Some(*value),
        Kind::Null | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => {
            field.wrong_type("true or false", report);
            None
        }
    }
}

fn body_text(field: &Field<'_>, report: &mut Report) -> Option<String> {
    let text = field.text(report)?;
    if text.len() > limit::PROBE_TEXT_BYTES {
        let (bytes, most) = (text.len(), limit::PROBE_TEXT_BYTES);
        let message = format!("`{}` has {bytes} bytes, the limit is {most} bytes", field.key);
        report.add(Finding::error(code::BUDGET_EXCEEDED, field.node.span, message));
        return None;
    }
    Some(text.to_owned())
}

fn statuses(field: &Field<'_>, report: &mut Report) -> Option<Vec<u16>> {
    let status = |node: &Node| {
        let Kind::Number(number) = &node.kind else { return None };
        let status = number.as_u64().and_then(|number| u16::try_from(number).ok());
        status.filter(|status| (100..=599).contains(status))
    };
    elements(field, "an HTTP status from 100 to 599", status, report)
}

fn texts(field: &Field<'_>, report: &mut Report) -> Option<Vec<String>> {
    let text = |node: &Node| match &node.kind {
        Kind::Text(text) if !text.trim().is_empty() && !is_template(text) => Some(text.clone()),
        Kind::Null | Kind::Boolean(_) | Kind::Number(_) | Kind::Text(_) | Kind::List(_) | Kind::Object(_) => None,
    };
    elements(field, "a text without a template", text, report)
}

/// A list with something in it, each element of a certain form; all that are not are found.
fn elements<T>(
    field: &Field<'_>,
    needed: &str,
    read: impl Fn(&Node) -> Option<T>,
    report: &mut Report,
) -> Option<Vec<T>> {
    let nodes = field.list(report)?;
    if nodes.is_empty() || nodes.len() > limit::CHECK_TARGETS {
        let message = format!("`{}` has {} elements, 1 to {} are needed", field.key, nodes.len(), limit::CHECK_TARGETS);
        report.add(Finding::error(code::WRONG_VALUE, field.node.span, message));
        return None;
    }
    let mut elements = Vec::with_capacity(nodes.len());
    for node in nodes {
        if let Some(element) = read(node) {
            elements.push(element);
        } else {
            let message = format!("each of `{}` has to be {needed}, found {}", field.key, node.brief());
            report.add(Finding::error(code::WRONG_VALUE, node.span, message));
        }
    }
    (elements.len() == nodes.len()).then_some(elements)
}
