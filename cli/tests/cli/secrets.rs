//! Secrets that come in by any way are in no file, log, notice, page or answer.

mod sent;

use std::path::Path;

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::logs;
use crate::support::{Serve, answer, env, eventually, heal, http, path, platform, playbooks, post};

/// Named by a field: what people call a secret.
const NAMES: [&str; 40] = [
    "password",
    "db_password",
    "passwd",
    "pwd",
    "DB_PWD",
    "pass",
    "user_pass",
    "passphrase",
    "secret",
    "client_secret",
    "secrets",
    "token",
    "apiToken",
    "refresh_tokens",
    "api_key",
    "X-Api-Key",
    "apikey",
    "access_key",
    "AWS_SECRET_ACCESS_KEY",
    "private_key",
    "signing_key",
    "encryption_key",
    "ssh_key",
    "account_key",
    "Authorization",
    "auth",
    "basic_auth",
    "jwt",
    "id_jwt",
    "bearer",
    "cookie",
    "Set-Cookie",
    "credential",
    "credentials",
    "dsn",
    "sentry_dsn",
    "connection_string",
    "pin",
    "otp",
    "webhook_secret_hmac",
];

/// Secrets by their shape, in a field of any name. Each has the part that must be nowhere.
const SHAPES: [(&str, &str); 22] = [
    ("login with password=Canary-shape-01 please", "Canary-shape-01"),
    ("login with pwd: Canary-shape-02", "Canary-shape-02"),
    ("{\"password\": \"Canary-shape-03\", \"a\": 1", "Canary-shape-03"),
    ("postgres://app:Canary-shape-04@db.internal/app", "Canary-shape-04"),
    ("see https://Canary-shape-05-long@example.com/x", "Canary-shape-05"),
    ("https://example.com/hook?token=Canary-shape-06&a=1", "Canary-shape-06"),
    ("curl -H 'Authorization: Bearer Canary-shape-07'", "Canary-shape-07"),
    ("Bearer Canary.shape/08==", "Canary.shape/08"),
    ("Authorization: Basic Q2FuYXJ5OnNoYXBlLTA5", "Q2FuYXJ5OnNoYXBlLTA5"),
    ("the key AKIACANARYSHAPE10ABC was used", "AKIACANARYSHAPE10ABC"),
    ("with CanaryShape11/abcdefghijklmnopqrst+12345", "CanaryShape11/abcdefghijklmnopqrst"),
    ("eyJhbGciOiJub25lIn0.eyJDYW5hcnkiOiJzaGFwZTEyIn0.Canary12", "eyJDYW5hcnkiOiJzaGFwZTEyIn0"),
    ("-----BEGIN RSA PRIVATE KEY-----\nCanaryShape13\n-----END RSA PRIVATE KEY-----", "CanaryShape13"),
    ("-----BEGIN PRIVATE KEY-----\\nCanaryShape14\\n-----END PRIVATE KEY-----", "CanaryShape14"),
    ("ghp_CanaryShape15abcdefghijklmnopqrstuvw", "CanaryShape15"),
    ("glpat-CanaryShape16abcdefg", "CanaryShape16"),
    ("xoxb-1234567890-CanaryShape17", "CanaryShape17"),
    ("sk_live_CanaryShape18abcdefghijk", "CanaryShape18"),
    ("https://hooks.slack.com/services/T0/B0/CanaryShape19", "CanaryShape19"),
    ("AccountName=a;AccountKey=CanaryShape20==;EndpointSuffix=b", "CanaryShape20"),
    ("mysql --password CanaryShape21 -u root", "CanaryShape21"),
    ("https://b.s3.amazonaws.com/k?X-Amz-Signature=CanaryShape22", "CanaryShape22"),
];

const PLAYBOOK: (&str, &str) = (
    "wait.yaml",
    "timeout_seconds: 900\n\
     triggers: [{incident_type: T}]\n\
     parameters_schema: {type: object, properties: {door: {type: string, x-secret: true}}}\n\
     actions: [{type: wait, parameters: {seconds: 1}}]\n",
);
const HOOKS: &str = "rules: [{name: any, sources: generic, fingerprint: \"{{ payload.id }}\", \
    incident: {incident_type: T, note: \"{{ payload.note }}\", door: \"{{ payload.door }}\"}}]\n";

fn canary(way: &str, name: &str) -> String {
    format!("Canary-{way}-{}", name.to_lowercase())
}

/// An incident with every canary, and what must be nowhere.
fn incident(id: &str) -> (Value, Vec<String>) {
    let mut fields = serde_json::Map::new();
    let mut gone = Vec::new();
    for (index, name) in NAMES.iter().enumerate() {
        let value = canary(id, name);
        // Some deep inside, one list among them.
        let value_at = |value: String| if index % 3 == 0 { json!([{"a": {*name: [value]}}]) } else { json!(value) };
        let name = if index % 3 == 0 { format!("nested_{index}") } else { (*name).to_owned() };
        gone.push(value.clone());
        fields.insert(name, value_at(value));
    }
    for (index, (text, secret)) in SHAPES.iter().enumerate() {
        fields.insert(format!("note_{index}"), json!(text));
        gone.push((*secret).to_owned());
    }
    fields.insert("door".to_owned(), json!("Canary-x-secret"));
    gone.push("Canary-x-secret".to_owned());
    fields.insert("incident_id".to_owned(), json!(id));
    fields.insert("incident_type".to_owned(), json!("T"));
    (Value::Object(fields), gone)
}

/// Every file of `folder` that has one of `secrets`.
fn found_in(folder: &Path, secrets: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let file = entry.unwrap().path();
        let bytes = std::fs::read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        found.extend(found_in_text(&file.display().to_string(), &text, secrets));
    }
    found
}

fn found_in_text(place: &str, text: &str, secrets: &[String]) -> Vec<String> {
    secrets.iter().filter(|secret| text.contains(*secret)).map(|secret| format!("{secret} in {place}")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_that_comes_in_stays_anywhere() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[PLAYBOOK, ("hooks.yaml", HOOKS)]);
    let home = tempfile::tempdir().unwrap();
    let (state, log) = (home.path().join("state.db"), home.path().join("log"));
    let serve = Serve::start_logging(&state, folder.path(), &env(&platform), "debug", &log);
    let mut answers = String::new();
    let mut keep = |(status, body): (u16, Value), expected: &[u16]| {
        assert!(expected.contains(&status), "{status}: {body}");
        answers.push_str(&body.to_string());
    };

    let (by_api, mut gone) = incident("by-api");
    keep(post(&format!("{}/api/v1/incidents", serve.url), &by_api).await, &[202]);
    // No playbook is for this one: it becomes a record that keeps the message.
    let (mut unrouted, more) = incident("unrouted");
    unrouted["incident_type"] = json!("NONE");
    gone.extend(more);
    keep(post(&format!("{}/api/v1/incidents", serve.url), &unrouted).await, &[202]);
    // This one is refused at once: its answer must not repeat it.
    let refused = json!({"incident_id": {"password": "Canary-refused"}, "severity": "password=Canary-refused"});
    gone.push("Canary-refused".to_owned());
    keep(post(&format!("{}/api/v1/incidents", serve.url), &refused).await, &[400, 422]);
    for (index, (text, secret)) in SHAPES.iter().enumerate() {
        let alert = json!({"id": format!("hook-{index}"), "note": text, "door": "Canary-x-secret"});
        gone.push((*secret).to_owned());
        keep(post(&format!("{}/hooks/generic", serve.url), &alert).await, &[202]);
    }
    // A rule that cannot be rendered keeps the whole alert for a person.
    let faulty = json!({"id": "faulty", "db_pwd": "Canary-label", "at": "redis://:Canary-redis@r"});
    gone.extend(["Canary-label".to_owned(), "Canary-redis".to_owned()]);
    keep(post(&format!("{}/hooks/generic", serve.url), &faulty).await, &[202]);
    let request = json!({"remediation_id": "asked", "playbook_name": "wait", "incident_id": "asked",
        "parameters": {"jwt": "Canary-asked", "note": "token=Canary-asked-too", "door": "Canary-x-secret"}});
    gone.push("Canary-asked".to_owned());
    keep(post(&format!("{}/api/v1/incidents", serve.url), &request).await, &[202]);
    let halt = json!({"scope": "playbook", "name": "other", "for_seconds": 60, "reason": "password=Canary-halt"});
    gone.push("Canary-halt".to_owned());
    keep(post(&format!("{}/api/v1/halts", serve.url), &halt).await, &[201]);

    let runs = || heal(&["runs", "list", "--state", path(&state), "--limit", "100", "--json"]).exits(0).stdout;
    let expected = SHAPES.len() + 4;
    let listed = eventually("every run exists", || Some(runs()).filter(|runs| runs.lines().count() >= expected));
    let mut found = found_in(home.path(), &gone);
    for line in listed.lines() {
        let run: Value = serde_json::from_str(line).unwrap();
        let id = run["run_id"].as_str().unwrap();
        for page in ["runs/ID", "api/v1/runs/ID", "api/v1/runs/ID/events", "api/v1/runs/ID/explanation"] {
            let page = page.replace("ID", id);
            let text = http().get(format!("{}/{page}", serve.url)).send().await.unwrap().text().await.unwrap();
            found.extend(found_in_text(&page, &text, &gone));
        }
        let shown = heal(&["runs", "show", id, "--state", path(&state), "--json"]);
        found.extend(found_in_text("heal runs show", &shown.stdout, &gone));
    }
    let dead = answer(http().get(format!("{}/api/v1/dead-letters", serve.url)).send().await.unwrap()).await.1;
    answers.push_str(&dead.to_string());
    found.extend(found_in_text("an answer", &answers, &gone));
    found.extend(found_in_text("the list of runs", &listed, &gone));
    assert_eq!(serve.terminate(), 0);
    found.extend(found_in(home.path(), &gone));
    let logs = logs::of_all(&state).await;
    found.extend(found_in_text("the logs", &logs, &gone));
    assert!(found.is_empty(), "{} of {}: {found:#?}", found.len(), gone.len());
    assert!(logs.contains("[hidden]"), "the test looks where the rest of these incidents is");
}
