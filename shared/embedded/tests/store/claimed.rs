//! The claim of an attempt that reserves nothing, while the effect happens.

use std::sync::Arc;

use heal_runtime::attempt::CommandOutcome;
use heal_runtime::port::{LeaseOwner, RunLog as _};
use heal_runtime::{ActionCommand, Context, Digest, RunId, Token};
use heal_testkit::memory::ManualClock;
use heal_testkit::scripted;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::common::{T0, new_run, open};

fn command() -> ActionCommand {
    let parameters = json!({"ticket_id": "T-1"});
    ActionCommand {
        run_id: RunId::new("run-1"),
        step: "step".to_owned(),
        item: None,
        attempt: 1,
        token: Token::new("token"),
        action: "update_ticket_status".to_owned(),
        parameters_digest: Digest::of(parameters.to_string().as_bytes()),
        parameters: parameters.as_object().unwrap().clone(),
        issued_at: T0,
        deadline: T0.plus_ms(120_000),
        timeout_ms: None,
        incarnation: None,
        effect_key: None,
        shadow: false,
        context: Context { incident_id: "i".into(), playbook: "p".into(), workflow_id: None, traceparent: None },
        commands_sent: 1,
        approved: None,
    }
}

/// A claim that is not stored is gone with its process, and nobody would know that the attempt may have acted.
#[tokio::test(start_paused = true)]
async fn the_claim_of_an_attempt_without_a_cooldown_is_in_the_file_before_the_effect() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.create(&new_run("run-1")).await.unwrap();
    let shared = Arc::new(store);
    let file = path.clone();
    let count = move |_: &_| -> Value {
        let file = Connection::open(&file).unwrap();
        let claims: u32 = file.query_row("SELECT count(*) FROM claim", [], |row| row.get(0)).unwrap();
        json!({ "claims": claims })
    };
    let worker =
        scripted::worker("update_ticket_status", shared.clone(), shared, Arc::new(ManualClock::default()), count);
    let body = serde_json::to_string(&command()).unwrap();
    let outcome = worker.handle(&body, LeaseOwner("a".to_owned())).await.unwrap();
    let CommandOutcome::Answered(result) = outcome else { panic!("{outcome:?}") };
    assert_eq!(result.output["claims"], 1, "{result:?}");
}
