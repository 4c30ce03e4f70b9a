//! The bounds of lists and texts; those of numbers are in `broken/bounds.yaml`.

use heal_guard::limit;

use super::{codes, read};

fn budgets(count: usize) -> String {
    let budget = |index: usize| {
        // A budget with both a larger maximum and a longer window is never shadowed.
        let key = if index.is_multiple_of(2) { "target" } else { "action" };
        format!("  - {{name: b{index}, key: \"{{{{ {key} }}}}\", max: {0}, window_seconds: {0}}}\n", index + 1)
    };
    format!("budgets:\n{}", (0..count).map(budget).collect::<String>())
}

#[test]
fn an_effect_is_counted_by_at_most_so_many_budgets() {
    assert_eq!(codes(&budgets(limit::BUDGETS_PER_EFFECT)), Vec::<&str>::new());
    let reading = read(&budgets(limit::BUDGETS_PER_EFFECT + 1));
    let [fault] = reading.diagnostics.as_slice() else { panic!("{:?}", reading.diagnostics) };
    assert_eq!((fault.code, fault.line), ("budget-exceeded", limit::BUDGETS_PER_EFFECT + 2));
}

#[test]
fn the_number_of_budgets_is_bounded() {
    let reading = read(&budgets(limit::BUDGETS + 1));
    assert_eq!(reading.diagnostics[0].message, "the file has 51 budgets, the limit is 50 budgets");
    assert_eq!((reading.diagnostics[0].line, reading.diagnostics[0].column), (1, 1));
}

#[test]
fn the_number_of_names_in_a_list_is_bounded() {
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("p{index}")).collect();
        let text = format!("budgets: [{{name: a, playbooks: [{}], max: 1, window_seconds: 1}}]\n", names.join(", "));
        heal_language::guardrails::read("guardrails", &text, &super::actions(), None, None).diagnostics
    };
    assert_eq!(with(limit::NAMES), []);
    assert_eq!(with(limit::NAMES + 1)[0].message, "`playbooks` has 51 names, the limit is 50 names");
}

#[test]
fn the_numbers_of_groups_and_members_and_the_length_of_an_identity_are_bounded() {
    let groups = |count: usize| {
        let group = |index: usize| format!("    g{index}: [\"local:anna\"]\n");
        codes(&format!("approvals:\n  groups:\n{}", (0..count).map(group).collect::<String>()))
    };
    assert_eq!(groups(limit::GROUPS), Vec::<&str>::new());
    assert_eq!(groups(limit::GROUPS + 1), ["budget-exceeded"]);
    let members = |count: usize| {
        let members: Vec<String> = (0..count).map(|index| format!("\"local:u{index}\"")).collect();
        codes(&format!("approvals: {{groups: {{a: [{}]}}}}\n", members.join(", ")))
    };
    assert_eq!(members(limit::MEMBERS), Vec::<&str>::new());
    assert_eq!(members(limit::MEMBERS + 1), ["budget-exceeded"]);
    let identity = |bytes: usize| {
        let name = "x".repeat(bytes - "local:".len());
        codes(&format!("approvals: {{groups: {{a: [\"local:{name}\"]}}}}\n"))
    };
    assert_eq!(identity(limit::IDENTITY_BYTES), Vec::<&str>::new());
    assert_eq!(identity(limit::IDENTITY_BYTES + 1), ["budget-exceeded"]);
}

#[test]
fn the_largest_numbers_are_accepted() {
    let text = format!(
        "cooldowns: {{restart_pod: {{seconds: {window}}}}}\n\
         budgets: [{{name: a, max: {}, window_seconds: {window}}}]\n\
         repeats: {{escalate_at: {}, window_seconds: {window}}}\n",
        limit::BUDGET_MAX,
        limit::REPEATS,
        window = limit::WINDOW_SECONDS,
    );
    assert_eq!(codes(&text), ["no-bound"]);
    assert!(read(&text).guardrails.is_some());
    let over = format!("repeats: {{escalate_at: {}}}\n", limit::REPEATS + 1);
    assert_eq!(codes(&over), ["budget-exceeded"]);
}

#[test]
fn the_number_of_playbooks_with_a_bound_of_their_own_is_bounded() {
    let with = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("p{index}: 3")).collect();
        let text = format!("admission: {{live: {{playbooks: {{{}}}}}}}\n", names.join(", "));
        heal_language::guardrails::read("guardrails", &text, &super::actions(), None, None).diagnostics
    };
    assert_eq!(with(limit::LIVE_NAMES), []);
    assert_eq!(with(limit::LIVE_NAMES + 1)[0].message, "`playbooks` has 101 names, the limit is 100 names");
}
