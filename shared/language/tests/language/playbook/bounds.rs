//! Files over the limits, and valid files close to them.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use heal_engine::limit;

use super::{codes, read};

/// Far more than a debug build needs on a busy machine; an unbounded reading would not end at all.
const QUICK: Duration = Duration::from_mins(1);

/// What `work` returns, which it does in a moment.
#[expect(clippy::disallowed_methods, reason = "reading takes real time, and no runtime could pause it")]
fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < QUICK, "{:?}", start.elapsed());
    result
}

fn refused_quickly(text: &str, code: &str) {
    let codes = quickly(|| codes(text));
    assert_eq!(codes, [code], "{}", text.chars().take(200).collect::<String>());
}

fn steps(count: usize) -> String {
    (0..count).fold("actions:\n".to_owned(), |mut text, index| {
        let _ = write!(
            text,
            "  - type: check_worker_health\n    condition: \"{{{{ severity == 'HIGH' and created_at > {index} }}}}\"\n    \
             parameters:\n      worker_id: \"{{{{ worker_id }}}}-{index}\"\n      namespace: \"{{{{ namespace }}}}\"\n"
        );
        text
    })
}

#[test]
fn a_thousand_steps_are_read_in_a_moment() {
    let text = steps(limit::STEPS);
    let reading = quickly(|| read("test", &text));
    let playbook = reading.playbook.expect("good");
    assert_eq!(playbook.actions.len(), limit::STEPS);
    assert_eq!(playbook.actions[limit::STEPS - 1].name, format!("check_worker_health_{}", limit::STEPS));
}

#[test]
fn a_step_too_many_is_refused() {
    refused_quickly(&steps(limit::STEPS + 1), "budget-exceeded");
}

#[test]
fn verify_entries_count_as_steps() {
    let verify = "verify:\n  - type: check_worker_health\n    until: \"{{ healthy }}\"\n    within_seconds: 1\n    parameters: {worker_id: w}\n";
    refused_quickly(&format!("{}{verify}", steps(limit::STEPS)), "budget-exceeded");
}

#[test]
fn a_cycle_of_a_thousand_steps_is_one_fault() {
    let mut text = steps(limit::STEPS);
    text =
        text.replacen("    condition", &format!("    needs: [check_worker_health_{}]\n    condition", limit::STEPS), 1);
    refused_quickly(&text, "needs-cycle");
}

#[test]
fn a_thousand_steps_that_need_all_before_them_are_read_in_a_moment() {
    let text = (0..300).fold("actions:\n".to_owned(), |mut text, index| {
        let needs = (0..index).map(|need| format!("s{need}")).collect::<Vec<_>>().join(", ");
        let _ = write!(
            text,
            "  - type: wait\n    name: s{index}\n    needs: [{needs}]\n    parameters: {{seconds: 0.1}}\n"
        );
        text
    });
    assert!(quickly(|| read("test", &text)).playbook.is_some());
}

#[test]
fn a_file_over_the_size_limit_is_refused_before_parsing() {
    let text = format!("actions: []\n# {}", "x".repeat(limit::PLAYBOOK_BYTES));
    refused_quickly(&text, "too-large");
}

#[test]
fn a_billion_laughs_are_refused() {
    let mut text = "a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for pair in ["ab", "bc", "cd", "de", "ef", "fg", "gh", "hi"] {
        let (from, to) = pair.split_at(1);
        let _ = writeln!(text, "{to}: &{to} [{}]", vec![format!("*{from}"); 9].join(", "));
    }
    refused_quickly(&text, "yaml-budget");
}

#[test]
fn a_quadratic_blow_up_is_refused() {
    let text = format!("a: &a \"{}\"\nb: [{}]\n", "x".repeat(200_000), vec!["*a"; 50_000].join(", "));
    refused_quickly(&text, "yaml-budget");
}

#[test]
fn too_many_values_are_refused() {
    refused_quickly(&format!("a: [{}]\n", vec!["1"; 150_000].join(",")), "yaml-budget");
}

#[test]
fn deep_nesting_is_refused_in_either_style() {
    let flow = format!("a: {}{}", "[".repeat(100_000), "]".repeat(100_000));
    let block: String = (0..500).map(|depth| " ".repeat(depth) + "a:\n").collect();
    let dashes = format!("a:\n  {}x", "- ".repeat(10_000));
    for text in [flow, block, dashes] {
        let found = quickly(|| codes(&text));
        assert!(found == ["yaml-budget"] || found == ["yaml-syntax"], "{found:?}");
    }
}

#[test]
fn as_many_anchors_as_fit_into_a_file_are_refused() {
    let text: String = (0..20_000).map(|index| "- &a".to_owned() + &index.to_string() + " x\n").collect();
    refused_quickly(&text, "yaml-budget");
}

#[test]
fn a_long_template_is_refused() {
    let text = format!(
        "actions:\n  - type: wait\n    condition: \"{{{{ 1 == {}1 }}}}\"\n    parameters: {{seconds: 1}}\n",
        "1 + ".repeat(2_100)
    );
    refused_quickly(&text, "budget-exceeded");
}

#[test]
fn a_list_with_too_many_elements_is_refused() {
    let list = |count: usize| {
        format!(
            "actions:\n  - type: reallocate_ticket\n    for_each: [{}]\n    parameters: {{ticket_id: \"{{{{ item }}}}\", reason: r}}\n",
            vec!["t"; count].join(", ")
        )
    };
    assert!(codes(&list(limit::FAN_OUT_ITEMS)).is_empty());
    refused_quickly(&list(limit::FAN_OUT_ITEMS + 1), "budget-exceeded");
}

#[test]
fn elements_with_too_many_bytes_are_refused() {
    let text = format!(
        "actions:\n  - type: reallocate_ticket\n    for_each: [{}]\n    parameters: {{ticket_id: \"{{{{ item }}}}\", reason: r}}\n",
        vec!["t".repeat(1_000); 300].join(", ")
    );
    refused_quickly(&text, "budget-exceeded");
}

#[test]
fn a_file_of_faults_is_read_in_a_moment() {
    let text: String =
        "actions:\n".to_owned() + &"  - {type: restart_pods, condtion: 1, needs: [restart_pood]}\n".repeat(900);
    assert_eq!(quickly(|| read("test", &text)).diagnostics.len(), 2_700);
}

#[test]
fn numbers_at_their_bounds_are_good_and_beyond_them_are_not() {
    let with = |key: &str, value: u64| {
        format!(
            "actions:\n  - type: check_worker_health\n    retry: {{{key}: {value}}}\n    parameters: {{worker_id: w}}\n"
        )
    };
    for (key, most) in [
        ("max_attempts", u64::from(limit::ATTEMPTS)),
        ("backoff_seconds", limit::BACKOFF_SECONDS),
        ("max_backoff_seconds", limit::BACKOFF_SECONDS),
    ] {
        assert!(codes(&with(key, most)).is_empty(), "{key}: {most}");
        assert_eq!(codes(&with(key, most + 1)), ["budget-exceeded"], "{key}: {}", most + 1);
    }
    let run = |seconds: u64| {
        format!("timeout_seconds: {seconds}\nactions:\n  - type: wait\n    parameters: {{seconds: 1}}\n")
    };
    assert!(codes(&run(limit::DURATION_SECONDS)).is_empty());
    assert_eq!(codes(&run(limit::DURATION_SECONDS + 1)), ["budget-exceeded"]);
    assert_eq!(codes(&run(1)), ["budget-exceeded"], "a wait of one second has no time in a run of one second");
}

/// A playbook whose schema has `count` definitions, each `keyword` of the next one twice.
fn doubling(keyword: &str, count: usize) -> String {
    let mut text =
        "actions: [{type: wait, parameters: {seconds: 1}}]\nparameters_schema:\n  $ref: '#/$defs/d0'\n  $defs:\n"
            .to_owned();
    for index in 0..count {
        let next = format!("{{$ref: '#/$defs/d{}'}}", index + 1);
        let _ = writeln!(text, "    d{index}: {{{keyword}: [{next}, {next}]}}");
    }
    let _ = writeln!(text, "    d{count}: {{type: object}}");
    text
}

#[test]
fn a_small_schema_that_would_fill_the_memory_is_refused_at_once() {
    for keyword in ["allOf", "anyOf", "oneOf"] {
        let text = doubling(keyword, 25);
        assert!(text.len() < 2_000, "{}", text.len());
        refused_quickly(&text, "invalid-schema");
    }
    let small = doubling("anyOf", 4);
    assert!(read("test", &small).playbook.is_some());
}

#[test]
fn a_pattern_that_could_take_exponential_time_is_refused() {
    let schema = |pattern: &str| {
        format!(
            "actions: [{{type: wait, parameters: {{seconds: 1}}}}]\nparameters_schema: {{properties: {{a: {{pattern: '{pattern}'}}}}}}\n"
        )
    };
    refused_quickly(&schema(r"^(a+)+\1$"), "invalid-schema");
    // Linear in this engine, exponential in one that tracks back.
    assert!(read("test", &schema("^(a+)+$")).playbook.is_some());
}
