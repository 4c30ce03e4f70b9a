//! Names of playbooks, steps, checks and guardrails.

use crate::code;
use crate::diagnostic::Span;
use crate::field::Field;
use crate::report::{Finding, Report, quoted};

/// Bytes of the name of a playbook, step or check. Names are part of file names, log fields and idempotency keys.
pub(crate) const NAME_BYTES: usize = 64;

/// The `name` key of a file, which has to equal its stem. `what` names the kind of file in messages: "playbook".
pub(crate) fn file_name(what: &str, stem: &str, field: &Field<'_>, report: &mut Report) -> String {
    let Some(name) = field.text(report) else { return stem.to_owned() };
    if !is_legal_name(name) {
        report.add(illegal_name(name, field.node.span));
    } else if name != stem {
        let message = format!("the {what} is named `{}`, its file `{}`", quoted(name), quoted(stem));
        let help = format!("a {what} is named by its file: make the two equal");
        report.add(Finding::error(code::NAME_MISMATCH, field.node.span, message).help(help));
    }
    name.to_owned()
}

/// Whether `name` is legal for a playbook, step or check.
pub(crate) fn is_legal_name(name: &str) -> bool {
    let legal = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
    (1..=NAME_BYTES).contains(&name.len()) && name.bytes().all(legal)
}

pub(crate) fn illegal_name(name: &str, span: Span) -> Finding {
    let message = format!("`{}` cannot be a name", quoted(name));
    let help = format!("a name has 1 to {NAME_BYTES} of a–z, 0–9, _ and -");
    Finding::error(code::ILLEGAL_NAME, span, message).help(help)
}
