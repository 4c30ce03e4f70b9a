//! The two formats of a line.

use jiff::Timestamp;
use serde_json::{Map, Value};
use tracing::Metadata;

use super::Format;
use crate::text::{printable, printable_json};

/// Names that the line itself uses; a field with such a name gets a trailing underscore.
const OWN: [&str; 4] = ["timestamp", "level", "target", "message"];

pub(super) fn write(format: Format, metadata: &Metadata<'_>, message: &str, fields: Map<String, Value>) -> String {
    #[expect(clippy::disallowed_methods, reason = "a log line carries the wall time")]
    let now = Timestamp::now();
    match format {
        Format::Human => human(now, metadata, message, &fields),
        Format::Json => json(now, metadata, message, fields),
    }
}

fn human(now: Timestamp, metadata: &Metadata<'_>, message: &str, fields: &Map<String, Value>) -> String {
    let mut line = format!("{now:.3} {:>5} {}: {}", metadata.level(), metadata.target(), printable(message));
    for (name, value) in fields {
        let value = match value {
            Value::String(text) if is_word(text) => text.clone(),
            Value::String(text) => format!("\"{}\"", printable(&text.replace('"', "\\\""))),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                printable_json(value)
            }
        };
        line.push_str(&format!(" {name}={value}"));
    }
    line.push('\n');
    line
}

fn json(now: Timestamp, metadata: &Metadata<'_>, message: &str, fields: Map<String, Value>) -> String {
    let text = |text: &str| printable_json(&Value::String(text.to_owned()));
    let (level, target) = (metadata.level(), metadata.target());
    // Written by hand to keep these four first; a map would sort them among the other fields.
    let mut line =
        format!(r#"{{"timestamp":"{now:.3}","level":"{level}","target":"{target}","message":{}"#, text(message));
    for (name, value) in fields {
        let name = if OWN.contains(&name.as_str()) { format!("{name}_") } else { name };
        line.push_str(&format!(",{}:{}", text(&name), printable_json(&value)));
    }
    line.push_str("}\n");
    line
}

/// Whether `text` is unambiguous as a value without quotes.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '"' | '='))
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;
    use crate::logs::{FIELD_BYTES, Lines};

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl std::io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: Format, log: impl FnOnce()) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let lines = Lines::new(format, move || writer.clone());
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), log);
        String::from_utf8(sink.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn a_field_cannot_forge_a_line() {
        let evil = "x\n2026-01-01T00:00:00.000Z ERROR forged\u{1b}[31m\u{202e}";
        let human = logged(Format::Human, || tracing::warn!(ticket = evil, count = 3, "refused {evil}"));
        assert_eq!(human.lines().count(), 1, "{human}");
        assert!(!human.trim_end().contains(crate::text::is_risky), "{human}");
        assert!(human.contains("WARN") && human.contains(" count=3"), "{human}");
    }

    #[test]
    fn a_json_line_preserves_the_values() {
        let evil = "x\ny\u{202e}";
        let text = logged(Format::Json, || {
            let span = tracing::info_span!("attempt", run = "run-1", step = tracing::field::Empty);
            span.record("step", "check");
            span.in_scope(|| tracing::info!(ticket = evil, level = 7, "done"));
        });
        assert_eq!(text.lines().count(), 1);
        assert!(!text.trim_end().contains(crate::text::is_risky), "{text}");
        let line: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["ticket"], evil);
        assert_eq!((&line["run"], &line["step"]), (&Value::from("run-1"), &Value::from("check")));
        assert_eq!((&line["level"], &line["level_"], &line["message"]), (&"INFO".into(), &7.into(), &"done".into()));
    }

    #[test]
    fn a_huge_field_is_cut_with_a_mark() {
        let huge = "é".repeat(FIELD_BYTES);
        let text = logged(Format::Json, || tracing::info!(huge, "m"));
        let line: Value = serde_json::from_str(&text).unwrap();
        let kept = line["huge"].as_str().unwrap();
        assert!(kept.len() < FIELD_BYTES + 40, "{}", kept.len());
        assert!(kept.ends_with("bytes cut)"), "{}", &kept[kept.len() - 40..]);
    }

    #[test]
    fn an_error_is_written_with_its_causes() {
        let cause = std::io::Error::other("disk full");
        let error = crate::logs::Error::Filter {
            value: "x".to_owned(),
            cause: "a=b=c".parse::<tracing_subscriber::EnvFilter>().unwrap_err(),
        };
        let text = logged(Format::Human, || {
            tracing::warn!(error = &error as &dyn std::error::Error, disk = &cause as &dyn std::error::Error, "no");
        });
        assert!(text.contains("expected directives") && text.contains("disk full"), "{text}");
        assert_eq!(text.matches("error parsing level filter").count(), 1, "{text}");
    }
}
