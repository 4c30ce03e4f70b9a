//! `heal guardrails`, and what the other commands do with the file.

use heal_guard::Guardrails;
use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::support::{Serve, command, env, finish, heal, path, platform, playbooks, root};

const PLAYBOOK: (&str, &str) = ("pause.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n");
const TICKET_TIMEOUT: &str = "tests/events/ticket_timeout.json";

#[test]
fn the_shipped_guardrails_have_no_fault() {
    let ran = heal(&["guardrails", "lint"]).exits(0);
    assert_eq!(ran.stdout, "");
    ran.complains(&["playbooks/guardrails.yaml: no fault"]);
}

#[test]
fn a_fault_is_shown_with_its_line_and_a_suggestion() {
    let text = "budgets:\n  - {name: restarts, actions: [restart_pods], max: 3, window_seconds: 60}\n\
                autonomy: [{playbook: paus, level: off}]\n";
    let files = playbooks(&[PLAYBOOK, ("guardrails.yaml", text)]);
    let (folder, file) = (files.path(), files.path().join("guardrails.yaml"));
    let lints = [
        vec!["guardrails", "lint", path(&file), "--playbooks", path(folder)],
        vec!["guardrails", "lint", "--playbooks", path(folder)],
        vec!["playbook", "lint", path(folder)],
    ];
    for args in lints {
        let ran = heal(&args).exits(1);
        for part in [
            "error[unknown-action]",
            "guardrails.yaml:2:32",
            "did you mean `restart_pod`?",
            "guardrails.yaml:3:23",
            "did you mean `pause`?",
            "^^^^",
        ] {
            assert!(ran.stdout.contains(part), "no {part:?} in {ran:#?}");
        }
        ran.complains(&["2 errors"]);
    }
    let beside = files.path().join("pause.yaml");
    heal(&["playbook", "lint", path(&beside), path(&file)]).exits(1).complains(&["1 playbook, guardrails: 2 errors"]);
    let faults = heal(&["guardrails", "lint", path(&file), "--json"]).exits(1).json();
    assert_eq!((&faults[0]["line"], &faults[0]["code"]), (&json!(2), &json!("unknown-action")));
}

#[test]
fn a_file_that_is_named_and_missing_is_an_error() {
    heal(&["guardrails", "lint", "nowhere.yaml"]).exits(2).complains(&["nowhere.yaml: the file"]);
    let folder = playbooks(&[PLAYBOOK]);
    let of = ["--playbooks", path(folder.path())];
    heal(&[&["guardrails", "lint"], of.as_slice()].concat())
        .exits(2)
        .complains(&["guardrails.yaml: the file does not exist"]);
    heal(&[&["guardrails", "compile"], of.as_slice()].concat())
        .exits(2)
        .complains(&["an empty one means the defaults"]);
}

#[test]
fn show_fills_in_every_default() {
    let folder = playbooks(&[PLAYBOOK]);
    let of = ["--playbooks", path(folder.path())];
    let defaults = heal(&[&["guardrails", "show"], of.as_slice()].concat()).exits(0);
    for part in [
        "the defaults, there is no file",
        "reallocate_ticket        300 s",
        "run 3 of one playbook",
        "5 targets within 300 s",
        "auto",
    ] {
        assert!(defaults.stdout.contains(part), "no {part:?} in {defaults:#?}");
    }
    let text = "cooldowns: {restart_pod: {seconds: 7}}\n\
                budgets: [{name: all, key: \"{{ target }}\", services: [kubernetes], max: 3, window_seconds: 60}]\n\
                approvals: {groups: {oncall: [\"local:anna\"]}}\nautonomy: [{playbook: pause, level: shadow}]\n";
    std::fs::write(folder.path().join("guardrails.yaml"), text).unwrap();
    let shown = heal(&[&["guardrails", "show"], of.as_slice()].concat()).exits(0);
    for part in [
        "restart_pod              7 s        set",
        "at most 3 in 60 s per {{ target }} on kubernetes",
        "oncall                   local:anna",
        "pause                    shadow",
    ] {
        assert!(shown.stdout.contains(part), "no {part:?} in {shown:#?}");
    }
    let shown = heal(&[&["guardrails", "show", "--json"], of.as_slice()].concat()).exits(0).report();
    let compiled = heal(&[&["guardrails", "compile"], of.as_slice()].concat()).exits(0).stdout;
    let compiled = Guardrails::from_json(&compiled).unwrap();
    assert_eq!(shown["digest"], compiled.digest().as_str());
    let restart = shown["cooldowns"].as_array().unwrap().iter().find(|rule| rule["action"] == "restart_pod").unwrap();
    let expected = json!({"action": "restart_pod", "service": "kubernetes", "seconds": 7, "is_default": false});
    assert_eq!(*restart, expected);
    assert_eq!(shown["repeats"], json!({"escalate_at": 3, "window_seconds": 3600}));
}

#[test]
fn compile_writes_what_a_function_reads_and_nothing_with_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("guardrails.json");
    let ran = heal(&["guardrails", "compile", "--out", path(&file)]).exits(0);
    assert_eq!(ran.stdout, "");
    ran.complains(&["3 rules, digest "]);
    let compiled = Guardrails::from_json(&std::fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(compiled.budgets[0].name, "pod_restarts");

    let folder = playbooks(&[PLAYBOOK, ("guardrails.yaml", "budget: []\n")]);
    let file = folder.path().join("guardrails.json");
    let args = ["guardrails", "compile", "--playbooks", path(folder.path()), "--out", path(&file)];
    heal(&args).exits(1).complains(&["guardrails.yaml:1:1", "did you mean `budgets`?", "cannot be compiled"]);
    assert!(!file.exists());
}

#[test]
fn playbooks_of_several_folders_may_be_named_as_the_build_of_the_functions_does() {
    let (first, second) = (playbooks(&[("a.yaml", PLAYBOOK.1)]), playbooks(&[("b.yaml", PLAYBOOK.1)]));
    let text = "autonomy: [{playbook: a, level: off}, {playbook: b, level: off}]\n";
    std::fs::write(first.path().join("guardrails.yaml"), text).unwrap();
    let [first, second] = [path(first.path()), path(second.path())];
    heal(&["guardrails", "compile", "--playbooks", first, "--playbooks", second]).exits(0);
    heal(&["guardrails", "compile", "--playbooks", first]).exits(1).complains(&["unknown playbook `b`"]);
}

#[test]
fn nothing_starts_with_guardrails_that_are_broken_or_named_and_missing() {
    let folder = playbooks(&[PLAYBOOK, ("guardrails.yaml", "repeats: {escalate_at: 0}\n")]);
    let state = folder.path().join("state.db");
    let serve = ["serve", "--state", path(&state), "--playbooks", path(folder.path()), "--listen", "127.0.0.1:0"];
    heal(&serve).exits(2).complains(&["guardrails.yaml:1:24", "`escalate_at` is 0", "nothing is started"]);
    let missing = [serve.as_slice(), &["--guardrails", "nowhere.yaml"]].concat();
    heal(&missing).exits(2).complains(&["nowhere.yaml: the file of guardrails does not exist"]);
    let run = ["run", TICKET_TIMEOUT, "--sandbox", "--guardrails"];
    let broken = folder.path().join("guardrails.yaml");
    heal(&[run.as_slice(), &[path(&broken)]].concat()).exits(2).complains(&["guardrails.yaml:1:24"]);
    heal(&[run.as_slice(), &["nowhere.yaml"]].concat()).exits(2).complains(&["nowhere.yaml"]);
    assert!(!state.exists());
}

#[test]
fn a_file_with_the_other_ending_is_refused_rather_than_ignored() {
    let folder = playbooks(&[PLAYBOOK, ("guardrails.yml", "repeats: {escalate_at: 2}\n")]);
    let of = ["--playbooks", path(folder.path())];
    for command in [["guardrails", "show"].as_slice(), &["guardrails", "lint"], &["run", TICKET_TIMEOUT, "--sandbox"]] {
        heal(&[command, of.as_slice()].concat()).exits(2).complains(&["guardrails.yml: guardrails are read from"]);
    }
    heal(&["playbook", "lint", path(folder.path())]).exits(2).complains(&["rename the file"]);
}

/// The log of a service over these playbooks.
fn log_of_a_service(folder: &std::path::Path) -> String {
    let platform = platform(Seed::healthy_worker());
    let state = tempfile::tempdir().unwrap();
    let log = state.path().join("log");
    let serve = Serve::start_logging(&state.path().join("state.db"), folder, &env(&platform), "info", &log);
    serve.terminate();
    std::fs::read_to_string(&log).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_says_which_guardrails_hold() {
    let folder = playbooks(&[PLAYBOOK]);
    let defaults = log_of_a_service(folder.path());
    let digest = Guardrails::default().digest();
    for part in ["guardrails are in force", "the defaults, there is no file", digest.as_str()] {
        assert!(defaults.contains(part), "no {part:?} in {defaults}");
    }
    let shipped = log_of_a_service(&root().join("playbooks"));
    assert!(shipped.contains("playbooks/guardrails.yaml") && !shipped.contains(digest.as_str()), "{shipped}");
}

#[test]
fn the_doctor_shows_digest_and_number_of_rules_or_the_first_fault() {
    let check = |args: &[&str]| -> Value {
        let found = finish(command(&["doctor", "--offline", "--json"]).args(args)).report();
        found["checks"].as_array().unwrap().iter().find(|check| check["what"] == "guardrails").unwrap().clone()
    };
    let shipped = check(&[]);
    let said = shipped["said"].as_str().unwrap();
    assert!(shipped["well"] == true && said.starts_with("3 rules, digest "), "{shipped}");
    let folder = playbooks(&[PLAYBOOK]);
    let none = check(&["--playbooks", path(folder.path())]);
    assert!(
        none["said"].as_str().unwrap().starts_with("the file does not exist, so the defaults hold: 0 rules"),
        "{none}"
    );
    std::fs::write(folder.path().join("guardrails.yaml"), "\nbudget: []\n").unwrap();
    let broken = check(&["--playbooks", path(folder.path())]);
    assert!(broken["well"] == false && broken["said"].as_str().unwrap().starts_with("line 2: unknown key"), "{broken}");
}

/// Set this variable to write the file again after the language has changed.
const UPDATE: &str = "UPDATE_GUARDRAILS_SCHEMA";

#[test]
#[expect(clippy::disallowed_methods, reason = "the switch that writes the file anew")]
fn the_checked_in_schema_is_up_to_date() {
    let path = root().join("playbooks/guardrails.schema.json");
    let current = heal(&["guardrails", "schema"]).exits(0).stdout;
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(committed == current, "{} is old: run this test with {UPDATE}=1 and commit it", path.display());
}
