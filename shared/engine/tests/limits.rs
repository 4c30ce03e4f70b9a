//! The table of limits in `docs/playbooks.md` has the engine's numbers.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use heal_engine::limit;

fn kib(bytes: usize) -> String {
    assert_eq!(bytes % 1_024, 0, "{bytes} bytes are not whole KiB");
    format!("{} KiB", bytes / 1_024)
}

/// `200000` as `200,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(|group| std::str::from_utf8(group).unwrap()).collect();
    groups.join(",")
}

/// How the rows begin.
fn rows() -> [String; 24] {
    let count = |number: usize| grouped(number as u64);
    [
        format!("| playbook file | {};", kib(limit::PLAYBOOK_BYTES)),
        format!("| steps of a playbook, actions and `verify` together | {} |", count(limit::STEPS)),
        format!("| time of a run, attempt, `wait` or `within_seconds` | {} s |", grouped(limit::DURATION_SECONDS)),
        format!("| attempts of a step | {} |", limit::ATTEMPTS),
        format!("| backoff | {} s |", limit::BACKOFF_SECONDS),
        format!(
            "| elements of a `for_each` | {}, and {} of JSON together |",
            count(limit::FAN_OUT_ITEMS),
            kib(limit::FAN_OUT_BYTES)
        ),
        format!("| attempts in flight in one run | {} |", limit::IN_FLIGHT),
        format!("| waiting for a worker | {} minutes,", limit::START_WINDOW_MS / 60_000),
        format!(
            "| one template | {} of source, {} units of work",
            kib(limit::TEMPLATE_BYTES),
            grouped(limit::TEMPLATE_FUEL)
        ),
        format!("| rendered parameters of an attempt | {} of JSON |", kib(limit::PARAMETER_BYTES)),
        format!("| kept outputs of an attempt | {} |", kib(limit::OUTPUT_BYTES)),
        format!("| decisions kept with an attempt | {}, and {} of JSON", limit::DECISIONS, kib(limit::DECISION_BYTES)),
        format!("| one warning, follow-up, error or reason | {} |", kib(limit::TEXT_BYTES)),
        format!("| warnings, and follow-ups, in a run's summary | {} each;", limit::NOTES),
        format!(
            "| `parameters_schema` | {}, {} levels, {} subschemas, and {} with",
            kib(limit::SCHEMA_BYTES),
            limit::SCHEMA_DEPTH,
            limit::SCHEMA_PARTS,
            grouped(limit::SCHEMA_COST)
        ),
        format!("| one compiled `pattern` of a `parameters_schema` | {} |", kib(limit::PATTERN_BYTES)),
        format!(
            "| check of an incident's variables | {} steps (subschemas times elements); {} faults are",
            grouped(limit::CHECKS_OF_VARIABLES),
            limit::DESCRIBED_FAULTS
        ),
        format!("| incoming message | {}, 24 levels,", kib(limit::MESSAGE_BYTES)),
        format!("| bytes kept of a rejected message | {} |", kib(limit::REJECTED_BYTES)),
        format!("| same incident, same playbook | one run within {} s |", grouped(limit::DEDUPE_SECONDS)),
        format!(
            "| wait for an approval | {} s to {} s;",
            limit::SHORTEST_APPROVAL_SECONDS,
            grouped(limit::APPROVAL_SECONDS)
        ),
        format!("| people that an approval needs | {} |", limit::APPROVERS_NEEDED),
        format!("| events of one run | {} |", grouped(limit::EVENTS)),
        format!("| events of one commit | {}, and {} of JSON;", limit::EVENTS_PER_TURN, kib(limit::TURN_BYTES)),
    ]
}

#[test]
fn the_documented_limits_are_the_engines() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/playbooks.md");
    let text = std::fs::read_to_string(page).unwrap();
    let missing: Vec<_> = rows().into_iter().filter(|row| !text.lines().any(|line| line.starts_with(row))).collect();
    assert!(missing.is_empty(), "docs/playbooks.md lacks {missing:#?}");
}
