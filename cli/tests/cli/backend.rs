//! The resolution of the state file or stack that a command works on.

use std::path::Path;

use crate::deployed::Deployed;
use crate::support::{Ran, command, finish, heal};

const NO_STATE: &str = ".heal/state.db: there is no such state file";

/// `heal runs list` in a folder.
fn list_in(folder: &Path, variables: &[(&str, &str)], options: &[&str]) -> Ran {
    let args = [&["runs", "list"][..], options].concat();
    finish(command(&args).current_dir(folder).envs(variables.iter().copied()))
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_is_used_with_a_note_if_no_backend_is_named() {
    let stack = Deployed::new().await;
    let run_id = stack.run_of(&serde_json::json!({"incident_id": "i", "incident_type": "LONG"})).await;
    let folder = stack.folder();
    let folder = folder.path();
    let ran = list_in(folder, &[], &[]).exits(0);
    assert!(ran.stdout.contains(&run_id), "{ran:#?}");
    ran.complains(&[&format!("local stack {} at http://", stack.name), ".heal/stack/env"]);
    // If it is named, its file is used too, without a note.
    for (variables, options) in
        [(vec![("HEAL_STACK", stack.name.as_str())], vec![]), (vec![], vec!["--stack", &stack.name])]
    {
        let ran = list_in(folder, &variables, &options).exits(0);
        assert!(ran.stdout.contains(&run_id) && ran.stderr.is_empty(), "{ran:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_local_stack_is_ignored_if_another_backend_is_named() {
    let stack = Deployed::new().await;
    let folder = stack.folder();
    let folder = folder.path();
    for variable in ["AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID"] {
        list_in(folder, &[(variable, "http://127.0.0.1:1")], &[]).exits(2).complains(&[NO_STATE]);
    }
    list_in(folder, &[("HEAL_STATE", "own.db")], &[]).exits(2).complains(&["own.db: there is no such state file"]);
    list_in(folder, &[], &["--state", "own.db"]).exits(2).complains(&["own.db: there is no such state file"]);
    // Another stack is searched at the AWS of the environment, which does not exist.
    let elsewhere = [("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    list_in(folder, &elsewhere, &["--stack", "other"]).exits(2).complains(&["no AWS credentials"]);
    let state = [("HEAL_STACK", stack.name.as_str())];
    list_in(folder, &state, &["--state", "own.db"]).exits(2).complains(&["own.db: there is no such state file"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_stack_is_named_with_region_and_endpoint() {
    let args = ["incident", "send", "tests/events/ticket_timeout.json", "--stack", "nobody-s"];
    let ran = finish(command(&args).envs(Deployed::aws())).exits(2);
    ran.complains(&["stack nobody-s (region eu-central-1, endpoint http://", "there is no queue nobody-s-incidents"]);
    heal(&["runs", "list", "--stack", "a/b"]).exits(2);
}

#[test]
fn a_malformed_stack_is_refused() {
    heal(&["runs", "list", "--state", "a.db", "--stack", "b"]).exits(2).complains(&["cannot be used with"]);
    let folder = tempfile::tempdir().unwrap();
    list_in(folder.path(), &[("HEAL_TABLE", "t")], &[]).exits(2).complains(&["HEAL_QUEUE_URL_PREFIX is not"]);
    let incident = crate::support::root().join("tests/events/ticket_timeout.json");
    let send = ["incident", "send", crate::support::path(&incident)];
    let ran = finish(command(&send).current_dir(folder.path())).exits(2);
    ran.complains(&["no stack is named", "--stack NAME", "HEAL_STACK"]);
    std::fs::create_dir_all(folder.path().join(".heal/stack")).unwrap();
    std::fs::write(folder.path().join(".heal/stack/env"), "HEAL_STACK=dev\n").unwrap();
    list_in(folder.path(), &[], &[]).exits(2).complains(&[".heal/stack/env: AWS_ACCESS_KEY_ID is missing"]);
}
