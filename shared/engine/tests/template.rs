//! Templates: types, strictness and limits.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::pedantic
)]

use std::sync::Arc;

use heal_engine::template::{Scope, Template, TemplateError, Tree, has_filter, has_test, is_template};
use heal_engine::{Map, limit};
use serde_json::{Value, json};

fn scope(variables: Value) -> Scope {
    let variables: Map = serde_json::from_value(variables).unwrap();
    Scope::new(Arc::new(variables))
}

fn render(source: &str, variables: Value) -> Result<Value, TemplateError> {
    Template::compile(source)?.render(&scope(variables))
}

#[test]
fn a_sole_expression_keeps_its_type() {
    let variables = json!({"n": 3, "f": 1.5, "t": true, "l": [1, {"a": null}], "s": "x", "big": u64::MAX, "neg": -4});
    for (source, expected) in [
        ("{{ n }}", json!(3)),
        ("{{n}}", json!(3)),
        (" {{- n -}} ", json!(3)),
        ("{{ f }}", json!(1.5)),
        ("{{ t }}", json!(true)),
        ("{{ not t }}", json!(false)),
        ("{{ l }}", json!([1, {"a": null}])),
        ("{{ l[1] }}", json!({"a": null})),
        ("{{ {'a': n, 'b': [s]} }}", json!({"a": 3, "b": ["x"]})),
        ("{{ big }}", json!(u64::MAX)),
        ("{{ neg }}", json!(-4)),
        ("{{ s }}", json!("x")),
        ("{{ s ~ '}}' }}", json!("x}}")),
        ("{{ missing | default('d') }}", json!("d")),
        ("{{ l | length > 1 and n == 3 }}", json!(true)),
    ] {
        assert_eq!(render(source, variables.clone()), Ok(expected), "{source}");
    }
}

#[test]
fn text_around_an_expression_makes_a_text() {
    let variables = json!({"n": 3, "s": "<x>"});
    assert_eq!(render("ticket:{{ n }}", variables.clone()), Ok(json!("ticket:3")));
    assert_eq!(render("{{ n }}-{{ s }}", variables.clone()), Ok(json!("3-<x>")));
    assert_eq!(render("{% if n > 2 %}many{% else %}few{% endif %}", variables.clone()), Ok(json!("many")));
    assert_eq!(render("no braces }} here", variables), Ok(json!("no braces }} here")));
}

#[test]
fn an_undefined_variable_is_named() {
    for (source, name) in [
        ("{{ missing }}", "missing"),
        ("a {{ missing }}", "missing"),
        ("{{ missing.part }}", "missing.part"),
        ("{{ known.part }}", "known.part"),
        ("{{ missing + 1 }}", "missing"),
        ("{{ steps.check.healthy }}", "steps.check.healthy"),
        ("{{ steps.check }}", "steps.check"),
        ("{{ known ~ missing }}", "missing"),
        ("{{ namespace }}", "namespace"),
        ("in {{ namespace }}", "namespace"),
        ("{{ dict }}", "dict"),
    ] {
        assert_eq!(
            render(source, json!({"known": {}})),
            Err(TemplateError::Undefined { name: name.to_owned() }),
            "{source}"
        );
    }
    assert!(matches!(
        render("{{ [missing] }}", json!({})),
        Err(TemplateError::NotJson { .. } | TemplateError::Undefined { .. })
    ));
}

#[test]
fn a_value_is_never_compiled() {
    let hostile = "{{ 7*7 }}{% for x in range(9) %}\u{202e}../%2e%2e\r\n";
    assert_eq!(render("{{ v }}", json!({"v": hostile})), Ok(json!(hostile)));
    assert_eq!(render("<{{ v }}>", json!({"v": hostile})), Ok(json!(format!("<{hostile}>"))));
}

#[test]
fn nothing_outside_the_variables_can_be_reached() {
    for source in ["{{ debug() }}", "{% include 'x' %}", "{{ self }}", "{{ env }}", "{% import 'x' as y %}"] {
        assert!(render(source, json!({})).is_err(), "{source}");
    }
}

#[test]
fn work_is_bounded() {
    let source = "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}";
    assert!(
        matches!(render(source, json!({})), Err(TemplateError::OutOfFuel { .. })),
        "{:?}",
        render(source, json!({}))
    );
    let long = format!("{{{{ n }}}}{}", "x".repeat(limit::TEMPLATE_BYTES));
    assert_eq!(render(&long, json!({"n": 1})), Err(TemplateError::TooLong { observed_bytes: long.len() }));
}

#[test]
fn a_syntax_error_has_its_line() {
    for source in ["{{ n", "{{ n + }}", "{% if %}"] {
        assert!(matches!(Template::compile(source), Err(TemplateError::Syntax { .. })), "{source}");
    }
    let Err(TemplateError::Syntax { line, .. }) = Template::compile("a\nb {{ n + }}") else {
        panic!("no syntax error")
    };
    assert_eq!(line, 2);
}

#[test]
fn a_fault_deep_in_a_value_has_its_path() {
    let tree = Tree::compile(&json!({"a": [1, {"b": "{{ missing }}"}]})).unwrap();
    let (path, error) = tree.render(&scope(json!({}))).unwrap_err();
    assert_eq!(path, "a[1].b");
    assert_eq!(error, TemplateError::Undefined { name: "missing".to_owned() });
}

#[test]
fn item_is_the_element_and_undefined_outside_a_fan_out() {
    let template = Template::compile("{{ item }}").unwrap();
    assert_eq!(template.render(&scope(json!({})).with_item(json!("t-1"))), Ok(json!("t-1")));
    assert_eq!(template.render(&scope(json!({}))), Err(TemplateError::Undefined { name: "item".to_owned() }));
}

#[test]
fn a_template_has_as_many_bytes_as_the_limit_says() {
    let text = |bytes: usize| Template::compile(&"x".repeat(bytes)).map(drop);
    let observed_bytes = limit::TEMPLATE_BYTES + 1;
    assert_eq!(text(limit::TEMPLATE_BYTES), Ok(()));
    assert_eq!(text(observed_bytes), Err(TemplateError::TooLong { observed_bytes }));
}

#[test]
fn the_place_of_a_fault_counts_from_the_start_of_the_source() {
    for source in ["  {{ a b }}", "xy{{ a b }}"] {
        let Err(TemplateError::Syntax { line, range, .. }) = Template::compile(source) else { panic!("{source}") };
        assert_eq!((line, range), (1, Some(7..8)), "{source}");
    }
}

#[test]
fn an_operation_that_fails_says_so_unless_a_variable_is_missing() {
    let Err(TemplateError::Failed { detail, .. }) = render("{{ text + 1 }}", json!({"text": "x"})) else { panic!() };
    assert!(detail.contains("string") && detail.contains("number"), "{detail}");
}

#[test]
fn marks_filters_and_tests_are_known_by_name() {
    for (text, expected) in [("{{ a", true), ("{% a", true), ("{# a", true), ("{ a }", false), ("}}", false)] {
        assert_eq!(is_template(text), expected, "{text}");
    }
    assert_eq!(["default", "length", "lenght", "defined"].map(has_filter), [true, true, false, false]);
    assert_eq!(["defined", "none", "definde", "length"].map(has_test), [true, true, false, false]);
}
