//! Trace context: W3C `traceparent` in and out of spans, and X-Ray's header.
//!
//! Messages and logs carry the text form. Spans have a context only if they are exported; otherwise [`current`] is `None`, and
//! callers pass on the `traceparent` that they received.

use std::collections::HashMap;

use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator as _;
use opentelemetry::trace::{SpanContext, TraceContextExt as _, TraceFlags, TraceState};
use opentelemetry_aws::trace::xray_propagator::span_context_from_str;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The prefix of the names of the engine's spans.
const PREFIX: &str = "self_healing.";
pub(crate) const SCOPE: &str = "self_healing";
const TRACEPARENT: &str = "traceparent";

/// Whether `name` is the name of one of the engine's spans.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX)
}

/// The current span's `traceparent`; `None` if spans are not exported.
pub fn current() -> Option<String> {
    traceparent_of(&Span::current())
}

/// The `traceparent` of `span`; `None` if spans are not exported.
pub fn traceparent_of(span: &Span) -> Option<String> {
    let context = span.context();
    context.span().span_context().is_valid().then(|| write(&context)).flatten()
}

/// Makes `span` a child of the span in `traceparent`. Call it before the span is entered.
pub fn continue_from(span: &Span, traceparent: Option<&str>) {
    if let Some(parent) = traceparent.and_then(read) {
        // Fails only if spans are not exported; then there is nothing to link.
        let _ = span.set_parent(Context::new().with_remote_span_context(parent));
    }
}

/// Links `span` to the spans that caused it; for a batch, whose messages belong to different traces.
pub fn link<'t>(span: &Span, traceparents: impl IntoIterator<Item = &'t str>) {
    for cause in traceparents.into_iter().filter_map(read) {
        span.add_link(cause);
    }
}

/// A span for a batch of messages from `queue`, linked to each message's trace. It has no children, because a run's spans belong to
/// the run's own trace. A single message is not a batch: it gets [`Span::none`].
pub fn batch<'t>(queue: &str, traceparents: impl ExactSizeIterator<Item = Option<&'t str>>) -> Span {
    let messages = traceparents.len();
    if messages < 2 {
        return Span::none();
    }
    let span = tracing::info_span!(parent: None, "self_healing.batch", queue, messages);
    link(&span, traceparents.flatten());
    span
}

/// The trace id in `traceparent`.
pub fn trace_id(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32)
}

/// A `traceparent` for a new trace that begins at `seconds` since the epoch. X-Ray requires the time at the start of a trace id.
pub fn fresh(seconds: u64, entropy: [u64; 3]) -> String {
    let [high, low, span] = entropy;
    let seconds = u32::try_from(seconds).unwrap_or(u32::MAX);
    // A span id of zeros is invalid.
    let (trace, span) = (high & u64::from(u32::MAX), span.max(1));
    format!("00-{seconds:08x}{trace:08x}{low:016x}-{span:016x}-01")
}

/// Converts X-Ray's `Root=…;Parent=…;Sampled=…` (`X-Amzn-Trace-Id`, or SQS' `AWSTraceHeader`) to a `traceparent`; `None` if it names
/// no parent.
pub fn from_xray(header: &str) -> Option<String> {
    let context = span_context_from_str(header)?;
    // A traceparent cannot express X-Ray's "sampling undecided" (`Sampled=?`), so it becomes "sampled".
    let flags =
        if context.trace_flags() == TraceFlags::default() { TraceFlags::default() } else { TraceFlags::SAMPLED };
    let context = SpanContext::new(context.trace_id(), context.span_id(), flags, true, TraceState::default());
    context.is_valid().then(|| write(&Context::new().with_remote_span_context(context))).flatten()
}

fn read(traceparent: &str) -> Option<SpanContext> {
    let carrier = HashMap::from([(TRACEPARENT.to_owned(), traceparent.to_owned())]);
    let context = TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier);
    let parent = context.span().span_context().clone();
    parent.is_valid().then_some(parent)
}

fn write(context: &Context) -> Option<String> {
    let mut carrier = HashMap::new();
    TraceContextPropagator::new().inject_context(context, &mut carrier);
    carrier.remove(TRACEPARENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-58406520a006649127e371903a2de979-4c721bf33e3caf8f-01";
    const XRAY: &str = "Root=1-58406520-a006649127e371903a2de979;Parent=4c721bf33e3caf8f;Sampled=1";

    #[test]
    fn xrays_header_becomes_a_traceparent() {
        assert_eq!(from_xray(XRAY).as_deref(), Some(PARENT));
        let with_lineage = format!("{XRAY};Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2");
        assert_eq!(from_xray(&with_lineage).as_deref(), Some(PARENT));
    }

    #[test]
    fn a_header_without_a_parent_is_rejected() {
        for header in
            ["", "nonsense", "Root=1-58406520-a006649127e371903a2de979", "Root=1-bogus-bad;Parent=4c721bf33e3caf8f"]
        {
            assert_eq!(from_xray(header), None, "{header}");
        }
    }

    #[test]
    fn an_undecided_trace_is_sampled() {
        let undecided = XRAY.replace("Sampled=1", "Sampled=?");
        assert_eq!(from_xray(&undecided).as_deref(), Some(PARENT));
        let not_sampled = XRAY.replace("Sampled=1", "Sampled=0");
        assert!(from_xray(&not_sampled).unwrap().ends_with("-00"));
    }

    #[test]
    fn a_new_trace_id_begins_with_its_time_and_is_valid() {
        let parent = fresh(0x5840_6520, [u64::MAX, 7, 0]);
        assert_eq!(parent, "00-58406520ffffffff0000000000000007-0000000000000001-01");
        assert_eq!(trace_id(&parent), Some("58406520ffffffff0000000000000007"));
        assert!(read(&parent).is_some(), "{parent}");
    }

    #[test]
    fn without_an_exporter_a_span_has_no_traceparent() {
        let span = tracing::info_span!("self_healing.test");
        continue_from(&span, Some(PARENT));
        assert_eq!(traceparent_of(&span), None);
    }
}
