use super::*;

fn fault(text: &str) -> String {
    Guardrails::from_json(text).unwrap_err().to_string()
}

#[test]
fn nothing_and_an_empty_object_are_the_default() {
    let read = Guardrails::from_json("{}").unwrap();
    assert_eq!(read, Guardrails::default());
    assert_eq!(Guardrails::from_json(&read.to_json()).unwrap(), read);
    assert_eq!(read.to_json(), r#"{"repeats":{"escalate_at":3,"window_seconds":3600}}"#);
}

#[test]
fn every_rule_survives_the_canonical_text_and_changes_the_digest() {
    let text = r#"{"cooldowns":[{"action":"restart_pod","seconds":60}],"budgets":[{"name":"restarts","applies_to":{"actions":["restart_pod"]},"key":"{{ workflow_id }}","max":2,"max_percent":5,"window_seconds":60},{"name":"at_once","max":3,"concurrent":true}],"repeats":{"escalate_at":4,"window_seconds":60},"approvals":{"groups":{"oncall":["local:anna"]}},"autonomy":[{"playbook":"restarts","level":"approve","demote":{"below_percent":40,"of_last":20}}],"admission":{"live":{"per_playbook":100,"per_service":7}},"windows":[{"name":"night","kind":"ask","applies_to":{"services":["kubernetes"]},"schedule":{"daily":{"days":["sat","sun"],"from":"22:00","to":"06:30","zone":"Europe/Berlin"}},"approvers":["oncall"],"reason":"nobody is here"},{"name":"move","kind":"hold","schedule":{"once":{"start":1,"end":2}}}],"scope":[{"opt_out":{"label":"team=payments"}},{"applies_to":{"actions":["reallocate_ticket"]},"opt_in":{"metadata":"managed"}}],"dependencies":[{"name":"tickets","breaker":"execution-ticket-service","check":"tickets_up","holds":{"actions":["restart_pod"]}}]}"#;
    let guardrails = Guardrails::from_json(text).unwrap();
    assert_eq!(guardrails.to_json(), text);
    assert_ne!(guardrails.digest(), Guardrails::default().digest());
}

#[test]
fn an_unknown_bound_is_refused_rather_than_ignored() {
    for text in [
        r#"{"storms":{}}"#,
        r#"{"storms":[{"service":"a","actions":[],"targets":5}]}"#,
        r#"{"cooldowns":[{"action":"a","seconds":1,"jitter":1}]}"#,
        r#"{"budgets":[{"name":"a","max":1,"window_seconds":1,"min_percent":5}]}"#,
        r#"{"windows":[{"name":"a","kind":"hold","schedule":{"once":{"start":1,"end":2}},"weeks":1}]}"#,
        r#"{"windows":[{"name":"a","kind":"stop","schedule":{"once":{"start":1,"end":2}}}]}"#,
        r#"{"windows":[{"name":"a","kind":"hold","schedule":{"daily":{"from":"1:00","to":"02:00","zone":"UTC"}}}]}"#,
        r#"{"windows":[{"name":"a","kind":"hold","schedule":{"daily":{"from":"01:00","to":"02:00","zone":"Mars"}}}]}"#,
        r#"{"scope":[{"opt_out":{"colour":"red"}}]}"#,
        r#"{"autonomy":[{"playbook":"a","level":"auto","demote":{"below_percent":5}}]}"#,
        r#"{"budgets":[{"name":"a","max":1,"window_seconds":1,"applies_to":{"labels":[]}}]}"#,
        r#"{"repeats":{"escalate_at":3,"window_seconds":60,"by":"target"}}"#,
        r#"{"approvals":{"min":2}}"#,
        r#"{"autonomy":[{"playbook":"a","level":"some"}]}"#,
    ] {
        assert!(fault(text).starts_with("guardrails: the text has another shape"), "{text}");
    }
}

#[test]
fn a_number_outside_its_limit_is_named() {
    let budget =
        |max: u32, window: u64| format!(r#"{{"budgets":[{{"name":"b","max":{max},"window_seconds":{window}}}]}}"#);
    assert!(Guardrails::from_json(&budget(limit::BUDGET_MAX, limit::WINDOW_SECONDS)).is_ok());
    assert_eq!(fault(&budget(0, 1)), "guardrails: max of budget b is 0, expected 1 to 1000");
    assert_eq!(fault(&budget(limit::BUDGET_MAX + 1, 1)), "guardrails: max of budget b is 1001, expected 1 to 1000");
    assert!(
        fault(&budget(1, limit::WINDOW_SECONDS + 1))
            .contains("window_seconds of budget b is 86401, expected 1 to 86400")
    );
    let cooldown = format!(r#"{{"cooldowns":[{{"action":"a","seconds":{}}}]}}"#, limit::WINDOW_SECONDS + 1);
    assert!(fault(&cooldown).starts_with("guardrails: the cooldown of a is 86401"));
    assert!(
        fault(r#"{"repeats":{"escalate_at":1,"window_seconds":60}}"#)
            .contains(": escalate_at of repeats is 1, expected 2 to 100")
    );
    assert!(
        fault(r#"{"repeats":{"escalate_at":2,"window_seconds":59}}"#)
            .contains(": window_seconds of repeats is 59, expected 60 to 86400")
    );
    for (live, expected) in [
        (r#"{"per_playbook":0}"#, "per_playbook in admission.live is 0, expected 1 to 1000"),
        (r#"{"per_service":1001}"#, "per_service in admission.live is 1001, expected 1 to 1000"),
        (r#"{"playbooks":{"a":0}}"#, "a of playbooks in admission.live is 0, expected 1 to 1000"),
        (r#"{"services":{"a":1001}}"#, "a of services in admission.live is 1001, expected 1 to 1000"),
    ] {
        assert_eq!(fault(&format!(r#"{{"admission":{{"live":{live}}}}}"#)), format!("guardrails: {expected}"));
    }
    let names: Vec<String> = (0..=limit::LIVE_NAMES).map(|name| format!(r#""p{name}":1"#)).collect();
    let many = format!(r#"{{"admission":{{"live":{{"playbooks":{{{}}}}}}}}}"#, names.join(","));
    assert!(fault(&many).contains("the number of names in admission.live is 101, expected 0 to 100"));
    let one = r#"{"name":"d","breaker":"s","holds":{"actions":["a"]}}"#;
    let many = format!(r#"{{"dependencies":[{}]}}"#, vec![one; limit::DEPENDENCIES + 1].join(","));
    assert!(fault(&many).contains("the number of dependencies is 21, expected 0 to 20"));
    let one = r#"{"name":"b","max":1,"window_seconds":1}"#;
    let many = format!(r#"{{"budgets":[{}]}}"#, vec![one; limit::BUDGETS + 1].join(","));
    assert!(fault(&many).contains("the number of budgets is 51, expected 0 to 50"));
}

#[test]
fn a_rule_that_contradicts_itself_is_refused() {
    let window = |schedule: &str| format!(r#"{{"windows":[{{"name":"w","kind":"hold","schedule":{schedule}}}]}}"#);
    for schedule in [
        r#"{"once":{"start":2,"end":2}}"#,
        r#"{"once":{"start":3,"end":2}}"#,
        r#"{"daily":{"from":"02:00","to":"02:00","zone":"UTC"}}"#,
    ] {
        let never = "guardrails: window w is never open: it ends where it starts, or before";
        assert_eq!(fault(&window(schedule)), never, "{schedule}");
    }
    let depends = |rule: &str| fault(&format!(r#"{{"dependencies":[{{"name":"d",{rule}}}]}}"#));
    assert_eq!(depends(r#""holds":{"actions":["a"]}"#), "guardrails: dependency d needs a breaker or a check");
    let everything = "guardrails: dependency d holds everything, also what would heal it";
    assert_eq!(depends(r#""breaker":"s","holds":{}"#), everything);
    for scope in [r"{}", r#"{"opt_out":{"label":"a"},"opt_in":{"label":"b"}}"#] {
        let exactly = "guardrails: a rule of scope needs exactly one of opt_out and opt_in";
        assert_eq!(fault(&format!(r#"{{"scope":[{scope}]}}"#)), exactly);
    }
    let budget = |keys: &str| fault(&format!(r#"{{"budgets":[{{"name":"b","max":1,{keys}}}]}}"#));
    let both = budget(r#""window_seconds":1,"concurrent":true"#);
    assert_eq!(both, "guardrails: window_seconds of budget b is 1, expected 0 to 0");
    assert_eq!(
        budget(r#""concurrent":true,"max_percent":101"#),
        "guardrails: max_percent of budget b is 101, expected 1 to 100"
    );
    let demote = |of_last| {
        let demote = format!(r#"{{"below_percent":50,"of_last":{of_last}}}"#);
        fault(&format!(r#"{{"autonomy":[{{"playbook":"a","level":"auto","demote":{demote}}}]}}"#))
    };
    assert_eq!(demote(2), "guardrails: of_last of the autonomy of a is 2, expected 3 to 50");
    assert_eq!(demote(51), "guardrails: of_last of the autonomy of a is 51, expected 3 to 50");
}

#[test]
fn the_numbers_of_a_storm_are_bounded() {
    let storm = |targets: u32, window: u64, quiet: u64, trickle: u32| {
        Guardrails::from_json(&format!(
            r#"{{"storms":[{{"service":"s","actions":["a"],"targets":{targets},"window_seconds":{window},"quiet_seconds":{quiet},"trickle":{trickle}}}]}}"#
        ))
    };
    for (targets, window, quiet, trickle) in
        [(0, 10, 10, 0), (2, 10, 3_600, 100), (limit::STORM_TARGETS, limit::STORM_WINDOW_SECONDS, 3_600, 0)]
    {
        assert!(storm(targets, window, quiet, trickle).is_ok(), "{targets} {window} {quiet} {trickle}");
    }
    for (broken, field) in [
        (storm(1, 10, 10, 0), "targets of the storm of s is 1, expected 2 to 1000"),
        (storm(1_001, 10, 10, 0), "targets of the storm of s is 1001"),
        (storm(5, 9, 10, 0), "window_seconds of the storm of s is 9, expected 10 to 3600"),
        (storm(5, 60, 59, 0), "quiet_seconds of the storm of s is 59, expected 60 to 3600"),
        (storm(5, 60, 3_601, 0), "quiet_seconds of the storm of s is 3601"),
        (storm(5, 60, 60, 101), "trickle of the storm of s is 101, expected 0 to 100"),
    ] {
        let fault = broken.unwrap_err().to_string();
        assert!(fault.contains(field), "{fault}");
    }
}

#[test]
fn a_key_names_only_what_an_effect_has() {
    let keyed = |key: &str| format!(r#"{{"budgets":[{{"name":"b","key":"{key}","max":1,"window_seconds":1}}]}}"#);
    assert!(Guardrails::from_json(&keyed("{{ action }}/{{ target }}")).is_ok());
    assert!(fault(&keyed("{{ ticket_id }}")).contains("unknown name `ticket_id`, the names are action, service"));
    assert!(fault(&keyed("{{ target")).starts_with("guardrails: the key of budget b cannot be used: "));
}
