//! The bounds of the numbers and texts of a check file.

use heal_engine::limit;

use super::{good, read};

#[test]
fn numbers_of_a_file_are_bounded_at_their_limits() {
    for (key, most) in [
        ("every_seconds", limit::DURATION_SECONDS),
        ("for", limit::CHECK_FAILURES.into()),
        ("raise_once_in_seconds", limit::DEDUPE_SECONDS),
    ] {
        good(&format!("{key}: {most}\n"));
        let text = format!(
            "probe: {{type: dependency, service: opa}}\nincident: {{incident_type: DEPENDENCY_DOWN, service_name: s}}\n{key}: {}\n",
            most + 1
        );
        let codes: Vec<_> = read("test", &text).diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(codes, ["budget-exceeded"], "{key}");
    }
    good(&format!("every_seconds: {}\n", limit::CHECK_EVERY_SECONDS));
    let text = "probe: {type: http, url: http://a}\nincident: {incident_type: DEPENDENCY_DOWN, service_name: s}\n";
    assert_eq!(read("test", text).diagnostics, []);
    for (keys, code) in [
        (format!("timeout_seconds: {}", limit::PROBE_SECONDS + 1), "budget-exceeded"),
        (format!("expect_body_contains: {}", "x".repeat(limit::PROBE_TEXT_BYTES + 1)), "budget-exceeded"),
    ] {
        let text = text.replace("http://a", &format!("http://a, {keys}"));
        let codes: Vec<_> = read("test", &text).diagnostics.iter().map(|one| one.code).collect();
        assert_eq!(codes, [code], "{keys:.60}");
    }
    let fits = format!(
        "http://a, timeout_seconds: {}, expect_body_contains: {}",
        limit::PROBE_SECONDS,
        "x".repeat(limit::PROBE_TEXT_BYTES)
    );
    assert_eq!(read("test", &text.replace("http://a", &fits)).diagnostics, []);
}
