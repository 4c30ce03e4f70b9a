//! Who is told of what, by the real binary.

use std::path::Path;
use std::time::Duration;

use heal_sandbox::Seed;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::receiver::Receiver;
use crate::support::{PATIENCE, Serve, command, env, eventually, finish, heal, http, path, platform, playbooks, post};

const PLAYBOOK: &str =
    "triggers: [{incident_type: ASK}]\napproval: {}\nactions: [{type: restart_pod, parameters: {pod_name: p}}]\n";
const KILLS: usize = 6;

fn file(folder: &Path, text: &str) {
    std::fs::write(folder.join("notify.yaml"), text).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_approval_is_told_at_least_once_and_at_most_once_more_for_each_kill() {
    let receiver = Receiver::start(Duration::from_millis(150)).await;
    let folder = playbooks(&[("ask.yaml", PLAYBOOK)]);
    file(folder.path(), &receiver.is_told_of_everything());
    let state = folder.path().join("state.db");
    let platform = platform(Seed::default());
    let env = env(&platform);
    let start = || Serve::start(&state, folder.path(), &env);
    let mut serve = start();
    for number in 0..KILLS {
        let incident = json!({"incident_id": format!("i-{number}"), "incident_type": "ASK", "severity": "HIGH"});
        let sent = http().post(format!("{}/api/v1/incidents", serve.url)).json(&incident).send().await.unwrap();
        assert!(sent.status().is_success(), "{}", sent.status());
        tokio::time::sleep(Duration::from_millis(40 * number as u64)).await;
        serve.kill();
        serve = start();
    }
    let give_up = Instant::now() + 3 * PATIENCE;
    while receiver.told().len() < KILLS {
        assert!(Instant::now() < give_up, "told: {:?}", receiver.told());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let told = receiver.told();
    assert!(told.keys().all(|id| id.ends_with(":1:approval_requested")), "{told:?}");
    assert!(told.values().all(|times| *times <= 2), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halt_and_its_end_by_the_command_line_are_told_by_the_service() {
    let receiver = Receiver::start(Duration::ZERO).await;
    let folder = playbooks(&[("ask.yaml", PLAYBOOK)]);
    file(folder.path(), &receiver.is_told_of_everything());
    let state = folder.path().join("state.db");
    let platform = platform(Seed::default());
    let _serve = Serve::start(&state, folder.path(), &env(&platform));
    let ran = heal(&["halt", "--all", "--for", "1h", "--reason", "test", "--state", path(&state)]).exits(0);
    let id = ran.stdout.split(':').next().unwrap().to_owned();
    heal(&["resume", &id, "--state", path(&state)]).exits(0);
    let give_up = Instant::now() + PATIENCE;
    while receiver.told().len() < 2 {
        assert!(Instant::now() < give_up, "told: {:?}", receiver.told());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let ids: Vec<_> = receiver.told().into_keys().collect();
    assert_eq!(ids, [format!("{id}:halted"), format!("{id}:resumed")]);
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_once_that_a_playbook_may_not_act_alone_any_more() {
    let receiver = Receiver::start(Duration::ZERO).await;
    let failing = "triggers: [{incident_type: FAIL}]\n\
                   actions: [{type: update_ticket_status, parameters: {ticket_id: \"{{ incident_id }}\", status: running}}]\n";
    let guardrails = "autonomy: [{playbook: failing, level: auto, demote: {below_percent: 80, of_last: 3}}]\n";
    let folder = playbooks(&[("failing.yaml", failing), ("guardrails.yaml", guardrails)]);
    file(folder.path(), &receiver.is_told_of_everything());
    let state = folder.path().join("state.db");
    let platform = platform(Seed::default());
    let serve = Serve::start(&state, folder.path(), &env(&platform));
    for number in 0..3 {
        let incident = json!({"incident_id": format!("i-{number}"), "incident_type": "FAIL"});
        let (status, _) = post(&format!("{}/api/v1/incidents", serve.url), &incident).await;
        assert_eq!(status, 202);
        eventually("the run has failed", || {
            let runs = heal(&["runs", "list", "--json", "--state", path(&state)]).exits(0).json();
            (runs.iter().filter(|run| run["outcome"] == "FAILED").count() == number + 1).then_some(())
        });
    }
    let demoted =
        || receiver.told().into_iter().filter(|(id, _)| id.ends_with(":autonomy_demoted")).collect::<Vec<_>>();
    let told = eventually("the notice arrives", || Some(demoted()).filter(|told| !told.is_empty()));
    assert!(matches!(told.as_slice(), [(id, 1)] if id.starts_with("autonomy:failing:")), "{told:?}");
    let listed = heal(&["autonomy", "list", "--state", path(&state)]).exits(0);
    assert!(listed.stdout.contains("approve"), "{listed:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_notice_says_what_each_channel_answered() {
    let receiver = Receiver::start(Duration::ZERO).await;
    let folder = playbooks(&[("ask.yaml", PLAYBOOK)]);
    let url = &receiver.url;
    let text = format!(
        "channels:\n  hook: {{type: webhook, url: \"{url}\"}}\n  chat: {{type: slack, url: \"env:SLACK_URL\"}}\nroutes: [{{to: [hook, chat]}}]\n"
    );
    file(folder.path(), &text);
    let file = folder.path().join("notify.yaml");
    let args = ["notify", "test", path(&file), "--playbooks", path(folder.path())];
    let (ran, told) = tokio::task::spawn_blocking({
        let args = args.map(ToOwned::to_owned);
        move || {
            let args: Vec<_> = args.iter().map(String::as_str).collect();
            let one = [&args[..], &["--channel", "hook"]].concat();
            (heal(&args), heal(&one))
        }
    })
    .await
    .unwrap();
    let ran = ran.exits(1);
    assert!(ran.stdout.contains("hook                 webhook    told"), "{ran:#?}");
    assert!(
        ran.stdout.contains("failed: failed to read the secret env:SLACK_URL: the variable is not set"),
        "{ran:#?}"
    );
    told.exits(0);
    assert_eq!(receiver.told().len(), 4);
    let wrong = heal(&[&args[..], &["--channel", "hok"]].concat()).exits(2);
    wrong.complains(&["`hok` is not a channel, did you mean `hook`?"]);
}

#[test]
fn a_faulty_file_is_shown_by_the_lint_and_starts_nothing() {
    let folder = playbooks(&[("ask.yaml", PLAYBOOK)]);
    file(folder.path(), "channels: {chat: {type: slack, url: \"https://hooks.slack.com/services/T0/B0/x\"}}\n");
    let file = folder.path().join("notify.yaml");
    let lint = heal(&["notify", "lint", path(&file), "--playbooks", path(folder.path())]).exits(1);
    assert!(lint.stdout.contains("a secret does not stand in this file"), "{lint:#?}");
    let state = folder.path().join("state.db");
    let args = ["serve", "--state", path(&state), "--playbooks", path(folder.path()), "--listen", "127.0.0.1:0"];
    let serve = finish(command(&args).env("SPIFFE_IDENTITY_SOURCE", "none"));
    serve.exits(2).complains(&["heal notify lint", "notify.yaml cannot be used, nothing is started"]);
}

#[test]
fn a_good_file_is_shown_and_compiled_with_its_references() {
    let folder = playbooks(&[("ask.yaml", PLAYBOOK)]);
    file(
        folder.path(),
        "channels: {chat: {type: slack, url: \"env:SLACK_URL\"}}\nroutes: [{to: chat, severities: critical}]\n",
    );
    let file = folder.path().join("notify.yaml");
    let args = |verb| ["notify", verb, path(&file), "--playbooks", path(folder.path())].map(ToOwned::to_owned);
    let run = |verb| {
        let args: [String; 5] = args(verb);
        heal(&args.each_ref().map(String::as_str))
    };
    let compiled: Value = serde_json::from_str(&run("compile").exits(0).stdout).unwrap();
    assert_eq!(compiled["channels"]["chat"], json!({"type": "slack", "url": "env:SLACK_URL"}));
    let shown = run("show").exits(0);
    assert!(shown.stdout.contains("chat") && shown.stdout.contains("severity critical"), "{shown:#?}");
    let lint = run("lint").exits(0);
    assert!(lint.stderr.contains("no fault") || lint.stderr.contains("0 errors"), "{lint:#?}");
}
