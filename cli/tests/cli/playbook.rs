//! `heal playbook`.

use std::path::Path;

use serde_json::Value;

use crate::support::{heal, path, playbooks, root};

#[test]
fn the_shipped_playbooks_have_no_fault() {
    let ran = heal(&["playbook", "lint"]).exits(0);
    assert_eq!(ran.stdout, "");
    ran.complains(&["6 playbooks, 5 checks, guardrails, hooks: no fault"]);
}

#[test]
fn a_fault_is_shown_with_its_line_and_a_suggestion() {
    let text =
        "actions:\n  - type: check_worker_health\n    condtion: \"{{ true }}\"\n    parameters: {worker_id: w}\n";
    let folder =
        playbooks(&[("typo.yaml", text), ("good.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n")]);
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    for part in ["error[unknown-key]", "typo.yaml:3:5", "condtion: \"{{ true }}\"", "^^^^^^^^", "`condition`"] {
        assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
    }
    ran.complains(&["2 playbooks: 1 error"]);

    let faults = heal(&["playbook", "lint", "--json", path(folder.path())]).exits(1).json();
    assert_eq!(faults.len(), 1);
    assert_eq!((&faults[0]["line"], &faults[0]["column"]), (&Value::from(3), &Value::from(5)));
    assert!(faults[0]["file"].as_str().unwrap().ends_with("typo.yaml"));
}

/// The engine's own broken playbooks say in comments which faults they have: `# expect: 3:17 wrong-value …`, or `3:17 warning old-key …`.
#[test]
fn every_fault_of_the_broken_playbooks_is_named_at_its_line() {
    let folder = root().join("shared/language/tests/playbooks/broken");
    let ran = heal(&["playbook", "lint", "--json", path(&folder)]).exits(1);
    let found = ran.json();
    let shown = heal(&["playbook", "lint", path(&folder)]).exits(1).stdout;
    let mut files = 0;
    let mut expected = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().path();
        if file.extension().is_none_or(|ending| ending != "yaml") {
            continue;
        }
        files += 1;
        for (place, code) in expectations(&file) {
            expected += 1;
            let fault = found.iter().find(|fault| {
                let at = format!("{}:{}", fault["line"], fault["column"]);
                fault["file"] == path(&file) && at == place && fault["code"] == code.as_str()
            });
            assert!(fault.is_some(), "{}: no {code} at {place}", file.display());
            assert!(shown.contains(&format!("{}:{place}", path(&file))), "{}:{place} is not shown", file.display());
        }
    }
    assert!(files >= 30, "{files} broken playbooks");
    assert!(expected >= files, "{expected} faults in {files} files");
}

fn expectations(file: &Path) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(&std::fs::read(file).unwrap()).into_owned();
    let lines = text.lines().filter_map(|line| line.trim().strip_prefix("# expect: "));
    let words = lines.map(|line| {
        let mut words = line.split_whitespace().filter(|word| *word != "warning");
        (words.next().unwrap().to_owned(), words.next().unwrap().to_owned())
    });
    words.collect()
}

#[test]
fn a_yaml_bomb_is_refused_quickly() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..12 {
        let before = format!("*a{}", level - 1);
        bomb.push_str(&format!("a{level}: &a{level} [{}]\n", vec![before; 10].join(", ")));
    }
    let deep = format!("actions: {}x{}\n", "[".repeat(50_000), "]".repeat(50_000));
    let huge = format!("description: {}\n", "x".repeat(600 * 1024));
    let folder = playbooks(&[("bomb.yaml", &bomb), ("deep.yaml", &deep), ("huge.yaml", &huge)]);
    std::fs::write(folder.path().join("latin.yaml"), b"name: caf\xe9\n").unwrap();
    let started = tokio::time::Instant::now();
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    assert!(started.elapsed().as_secs() < 10, "{:?}", started.elapsed());
    for part in
        ["bomb.yaml", "yaml-budget", "deep.yaml", "huge.yaml", "the limit is 524288 bytes", "latin.yaml", "offset 9"]
    {
        assert!(ran.stdout.contains(part), "no {part:?} in {:.3000}", ran.stdout);
    }
}

#[test]
fn two_files_of_one_playbook_are_refused() {
    let good = "actions: [{type: wait, parameters: {seconds: 1}}]\n";
    let folder = playbooks(&[("a.yaml", good), ("a.yml", good)]);
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    assert!(ran.stdout.contains("playbook a is in"), "{ran:#?}");
}

#[test]
fn list_show_and_schema_show_what_the_engine_reads() {
    let list = heal(&["playbook", "list"]).exits(0);
    assert!(list.stdout.contains("workflow_restart") && list.stdout.contains("WORKFLOW_STUCK"), "{list:#?}");
    assert_eq!(heal(&["playbook", "list", "--json"]).exits(0).json().len(), 6);

    let show = heal(&["playbook", "show", "ticket_timeout_recovery"]).exits(0);
    for part in [
        "restart_pod",
        "only if",
        "worker_unhealthy | default(false) }}",
        "skipped, with a warning and a follow-up",
        "verify",
    ] {
        assert!(show.stdout.contains(part), "no {part:?} in {show:#?}");
    }
    heal(&["playbook", "show", "nonsense"]).exits(2).complains(&["no playbook `nonsense`"]);
    let canonical = heal(&["playbook", "show", "workflow_restart", "--json"]).exits(0).report();
    assert_eq!(canonical["actions"][0]["retry"]["max_attempts"], 3);

    let schema: Value = serde_json::from_str(&heal(&["playbook", "schema"]).exits(0).stdout).unwrap();
    assert!(schema.to_string().contains("reallocate_ticket"));
}

#[test]
fn a_good_playbook_is_shown_and_listed_beside_a_faulty_one() {
    let good = "actions: [{type: wait, parameters: {seconds: 1}}]\n";
    let folder = playbooks(&[("good.yaml", good), ("typo.yaml", "actoins: []\n")]);
    let folder = path(folder.path());
    let show = heal(&["playbook", "show", "good", "--playbooks", folder]).exits(0);
    assert!(show.stdout.contains("good"), "{show:#?}");
    show.complains(&["typo.yaml:1:1", "did you mean `actions`?"]);
    heal(&["playbook", "show", "typo", "--playbooks", folder])
        .exits(2)
        .complains(&["`typo` cannot be used", "typo.yaml"]);
    let list = heal(&["playbook", "list", "--playbooks", folder]).exits(1);
    for part in ["good", "typo", "cannot be used"] {
        assert!(list.stdout.contains(part), "no {part:?} in {list:#?}");
    }
    list.complains(&["typo.yaml:1:1"]);
    let listed = heal(&["playbook", "list", "--json", "--playbooks", folder]).exits(1).json();
    assert_eq!((&listed[0]["name"], &listed[1]["name"]), (&"good".into(), &"typo".into()));
    assert!(listed[0]["error"].is_null() && listed[1]["error"].is_string(), "{listed:#?}");
}

#[test]
fn compile_writes_what_a_function_can_read_without_yaml() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("playbooks.json");
    let ran = heal(&["playbook", "compile", "--out", path(&file)]).exits(0);
    assert_eq!(ran.stdout, "");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(heal(&["playbook", "compile"]).exits(0).stdout, text);
    let library = heal_runtime::library::Library::from_json(&text).unwrap();
    for listed in heal(&["playbook", "list", "--json"]).exits(0).json() {
        let entry = library.get(listed["name"].as_str().unwrap()).unwrap();
        assert_eq!(listed["digest"], entry.plan.digest.as_str());
    }
    assert_eq!(library.names().count(), 6);
}

#[test]
fn playbooks_with_an_error_are_not_compiled() {
    let folder = playbooks(&[
        ("typo.yaml", "actoins: []\n"),
        ("good.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n"),
    ]);
    let file = folder.path().join("playbooks.json");
    let ran = heal(&["playbook", "compile", path(folder.path()), "--out", path(&file)]).exits(1);
    assert_eq!(ran.stdout, "");
    ran.complains(&["typo.yaml:1:1", "did you mean `actions`?", "1 playbook cannot be compiled"]);
    assert!(!file.exists());
}

/// Set this variable to write the file again after the language or an action has changed.
const UPDATE: &str = "UPDATE_PLAYBOOK_SCHEMA";

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file anew")]
fn the_checked_in_schema_is_up_to_date() {
    let path = root().join("playbooks/playbook.schema.json");
    let current = heal(&["playbook", "schema"]).exits(0).stdout;
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{} is old: run this test with {UPDATE}=1 and commit it", path.display());
}
