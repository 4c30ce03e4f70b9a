//! `heal runs` over the table of a stack. The command never writes to it.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::thread::JoinHandle;

use heal_runtime::RunId;
use heal_runtime::port::RunReader as _;
use serde_json::{Value, json};

use crate::deployed::Deployed;
use crate::support::{Ran, command, finish};

fn incident(id: &str, kind: &str) -> Value {
    json!({"incident_id": id, "incident_type": kind})
}

fn watch(stack: &Deployed, run_id: &str) -> JoinHandle<Ran> {
    let (stack, run_id) = (stack.clone(), run_id.to_owned());
    std::thread::spawn(move || stack.heal(&["runs", "watch", &run_id]))
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_listed_watched_and_shown() {
    let stack = Deployed::new().await;
    let at_work = stack.at_work();
    let short = stack.run_of(&incident("inc-1", "SHORT")).await;
    let long = stack.run_of(&incident("inc-2", "LONG")).await;

    let watched = stack.heal(&["runs", "watch", &short]).exits(0);
    for part in ["incident inc-1", "wait", "COMPLETED  short"] {
        assert!(watched.stdout.contains(part), "no {part:?} in {watched:#?}");
    }
    drop(at_work);
    let listed = stack.heal(&["runs", "list", "--json"]).exits(0).json();
    assert_eq!(listed.iter().map(|run| &run["run_id"]).collect::<Vec<_>>(), [&long, &short]);
    let option = ["runs", "list", "--status", "running", "--stack", &stack.name];
    let running = finish(command(&option).envs(Deployed::aws())).exits(0);
    assert!(running.stdout.contains(&long) && !running.stdout.contains(&short), "{running:#?}");

    let table = stack.store.table();
    let parts = [("HEAL_TABLE", table), ("HEAL_QUEUE_URL_PREFIX", stack.queues.urls().prefix())];
    let shown = finish(command(&["runs", "show", &short, "--json"]).envs(Deployed::aws()).envs(parts)).exits(0);
    assert_eq!(shown.report()["outcome"], "COMPLETED");
    let complaint = format!("run nobody does not exist in stack {}", stack.name);
    stack.heal(&["runs", "cancel", "nobody"]).exits(2).complains(&[&complaint]);
    stack.heal(&["runs", "show", "nobody"]).exits(2).complains(&["run nobody is not in"]);
    stack.heal(&["runs", "cancel", &short]).exits(1).complains(&["has ended already: COMPLETED"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dispatcher_cancels_a_run_on_request() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let run_id = stack.run_of(&incident("inc-1", "LONG")).await;
    let watch = watch(&stack, &run_id);
    let said = stack.heal(&["runs", "cancel", &run_id]).exits(0);
    assert!(said.stdout.contains(&format!("{run_id} stops: CANCELLED")), "{said:#?}");
    let watched = watch.join().unwrap().exits(1);
    for part in ["cancelled by local:", "CANCELLED"] {
        assert!(watched.stdout.contains(part), "no {part:?} in {watched:#?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_escalation_is_acknowledged_over_the_queue() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let sick =
        |number: u32| json!({"incident_id": format!("inc-{number}"), "incident_type": "SHORT", "worker_id": "w-1"});
    for number in 1..=2 {
        stack.run_of(&sick(number)).await;
    }
    let escalated = stack.run_of(&sick(3)).await;
    let listed = stack.heal(&["escalations", "list", "--json"]).exits(0).json();
    assert_eq!(listed.iter().map(|run| &run["run_id"]).collect::<Vec<_>>(), [&escalated]);
    let ack = ["escalations", "ack", &escalated, "--note", "new disk"];
    assert!(stack.heal(&ack).exits(0).stdout.contains("is acknowledged"));
    assert_eq!(stack.heal(&["escalations", "list", "--json"]).exits(0).json(), [] as [Value; 0]);
    let listed = stack.heal(&["escalations", "list", "--all", "--json"]).exits(0).json();
    assert_eq!(listed[0]["note"], "new disk");
    let again = stack.run_of(&sick(4)).await;
    assert_eq!(stack.heal(&["runs", "watch", &again, "--json"]).exits(0).report()["outcome"], "COMPLETED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_approved_once() {
    let stack = Deployed::new().await;
    let _at_work = stack.at_work();
    let asking = json!({"incident_id": "inc-1", "incident_type": "LONG", "auto_remediation_enabled": false});
    let run_id = stack.run_of(&asking).await;
    // It shows the command that approves it before it is approved.
    let mut watch =
        stack.command(&["runs", "watch", &run_id]).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut note = String::new();
    BufReader::new(watch.stderr.take().unwrap()).read_line(&mut note).unwrap();
    assert!(note.contains(&format!("heal runs approve {run_id} --stack {}", stack.name)), "{note}");
    let said = stack.heal(&["runs", "approve", &run_id]).exits(0);
    assert!(said.stdout.contains(&format!("{run_id} starts: RUNNING")), "{said:#?}");
    stack.heal(&["runs", "approve", &run_id]).exits(1).complains(&["is RUNNING: nothing to change"]);
    stack.heal(&["runs", "cancel", &run_id]).exits(0);
    let watched = watch.wait_with_output().unwrap();
    let said = String::from_utf8(watched.stdout).unwrap();
    assert!(!watched.status.success() && said.contains("approved by local:") && said.contains("CANCELLED"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_received_has_no_effect_and_is_reported() {
    let stack = Deployed::new().await;
    let run_id = stack.run_of(&incident("inc-1", "LONG")).await;
    let before = stack.store.load(&RunId::new(&run_id), 0).await.unwrap();
    let ran = stack.heal(&["runs", "cancel", &run_id, "--within", "1"]).exits(1);
    ran.complains(&["not in the run's log within 1 s", "The queue results has ", "heal dlq list --stack"]);
    assert_eq!(stack.store.load(&RunId::new(&run_id), 0).await.unwrap(), before);
}
