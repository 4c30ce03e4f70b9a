//! Input that is made to cost time, memory or room on the screen.

use std::fmt::Write as _;

use serde_json::json;

use crate::support::{Serve, env, heal, path, platform, playbooks, post};
use heal_sandbox::Seed;

/// Bytes that a person or a client gets for one bad file, at most.
const ANSWER_BYTES: usize = 128 * 1024;

/// A playbook in one line, in which everything is wrong, and nearly right.
fn faulty() -> String {
    let mut text = "description: x\nactions: [".to_owned();
    for index in 0..900 {
        let _ = write!(text, "{{type: update_ticket_statu, name: step_number_{index}, nedes: [step_numbre_{index}], ");
        let _ =
            write!(text, "parameters: {{tikcet_id: \"{{{{ tikcet_id{index} }}}} {{{{ wroker_id{index} }}}}\"}}}}, ");
    }
    text.push_str("]\n");
    text
}

#[test]
fn a_file_of_thousands_of_faults_is_reported_in_bounds_and_counted() {
    let text = faulty();
    assert!(text.len() > 100_000);
    let folder = playbooks(&[("bad.yaml", &text)]);
    let ran = heal(&["playbook", "lint", path(folder.path())]).exits(1);
    let printed = ran.stdout.len() + ran.stderr.len();
    assert!(printed < ANSWER_BYTES, "{printed} bytes");
    ran.complains(&["more faults"]);
    let as_json = heal(&["playbook", "lint", path(folder.path()), "--json"]).exits(1);
    assert_eq!(as_json.json().len(), 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_a_file_of_faults_in_bounds() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("wait.yaml", "actions: [{type: wait, parameters: {seconds: 1}}]\n")]);
    let state = folder.path().join("state.db");
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    let (status, lint) = post(&format!("{}/api/v1/playbooks/lint", serve.url), &json!({"yaml": faulty()})).await;
    assert_eq!((status, &lint["usable"]), (200, &false.into()));
    assert_eq!(lint["diagnostics"].as_array().map(Vec::len), Some(100));
    assert!(lint["omitted"].as_u64() > Some(100), "{}", lint["omitted"]);
    assert!(lint.to_string().len() < ANSWER_BYTES);
}
