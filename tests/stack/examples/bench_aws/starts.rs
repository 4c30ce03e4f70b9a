//! The start-up of each function compared with one that does nothing: the time from the start of the process until it is
//! ready and until its first reply, and its memory at that time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use heal_stack::runtime_api::{self, Start};
use heal_stack::{MiniStack, REGION, root, table};
use serde_json::json;

/// The number of starts per function; the median is printed.
const STARTS: usize = 25;

/// The names of the functions: their folders.
fn functions() -> Vec<String> {
    let folders = std::fs::read_dir(root().join("functions")).unwrap().flatten();
    let mut names: Vec<String> = folders.map(|folder| folder.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The deployed program of a function; `make bench-aws` sets the folder.
fn program(name: &str) -> PathBuf {
    let prebuilt =
        std::env::var_os("HEAL_PREBUILT").expect("HEAL_PREBUILT is the folder of the functions' release builds");
    root().join(prebuilt).join(name).join("bootstrap")
}

pub(crate) async fn print() {
    println!(
        "start of each function: release profile, its own Runtime API, {STARTS} starts of each kind, median; first reply: to a batch without \
         records; first message: one that it reads, refuses and parks, or the schedule's tick"
    );
    let folder = tempfile::tempdir().unwrap();
    let heal = target().join("debug/heal");
    for (noun, path, file) in [
        ("playbook", "playbooks", "playbooks.json"),
        ("check", "playbooks/checks", "checks.json"),
        ("guardrails", "playbooks/guardrails.yaml", "guardrails.json"),
    ] {
        let out = folder.path().join(file);
        let compiled = std::process::Command::new(&heal)
            .args([noun, "compile", path, "--out"])
            .arg(out)
            .current_dir(root())
            .status();
        assert!(compiled.unwrap().success());
    }
    let stack = MiniStack::shared();
    let store = table::empty(stack).await;
    let variables = [
        ("AWS_ENDPOINT_URL", stack.endpoint_url.clone()),
        ("AWS_REGION", REGION.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("HEAL_TABLE", store.table().to_owned()),
        ("HEAL_QUEUE_URL_PREFIX", format!("{}/000000000000/heal-", stack.endpoint_url)),
        ("ORCHESTRATOR_GRPC_USE_TLS", "false".to_owned()),
        ("KUBERNETES_API_URL", "http://127.0.0.1:9".to_owned()),
        ("RUST_LOG", "error".to_owned()),
    ];
    let hello = measure(&program("hello"), &variables, folder.path(), EMPTY).await;
    line("hello", &hello, &hello, &hello);
    for name in functions() {
        let program = program(&name);
        let ready = measure(&program, &variables, folder.path(), EMPTY).await;
        let message = measure(&program, &variables, folder.path(), &event(&name)).await;
        line(&name, &ready, &message, &hello);
    }
}

/// A batch without records; `scheduled-checks` treats it as a tick.
const EMPTY: &str = r#"{"Records": []}"#;

/// A batch of one invalid message, which a function nacks or parks; for `scheduled-checks` a tick of the schedule.
fn event(name: &str) -> String {
    if name == "scheduled-checks" {
        return json!({"source": "aws.events"}).to_string();
    }
    let queue = if name == "dispatcher" { "results".to_owned() } else { format!("action-{}", name.replace('-', "_")) };
    json!({"Records": [{
        "messageId": "m", "receiptHandle": "r", "body": "{}", "attributes": {"ApproximateReceiveCount": "1"},
        "messageAttributes": {}, "eventSource": "aws:sqs", "awsRegion": REGION,
        "eventSourceARN": format!("arn:aws:sqs:{REGION}:000000000000:heal-{queue}"),
    }]})
    .to_string()
}

async fn measure(program: &Path, variables: &[(&str, String)], folder: &Path, event: &str) -> Start {
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        starts.push(runtime_api::start(program, variables, folder, event).await);
    }
    starts.sort_by_key(|start| start.first_reply);
    starts.swap_remove(STARTS / 2)
}

fn line(name: &str, ready: &Start, message: &Start, hello: &Start) {
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    let ratio = |own: Duration, of_hello: Duration| ms(own) / ms(of_hello);
    let bytes = std::fs::metadata(program(name)).map_or(0, |file| file.len());
    println!(
        "  {name:<22} init {:>5.1} ms (x{:.2})  first reply {:>5.1} ms (x{:.2})  first message {:>6.1} ms (x{:.2})  resident {:>5.1} MiB  binary {:>5.1} MB",
        ms(ready.init),
        ratio(ready.init, hello.init),
        ms(ready.first_reply),
        ratio(ready.first_reply, hello.first_reply),
        ms(message.first_reply),
        ratio(message.first_reply, hello.first_reply),
        f64::from(u32::try_from(message.resident_kb).unwrap_or(u32::MAX)) / 1_024.0,
        f64::from(u32::try_from(bytes).unwrap_or(u32::MAX)) / 1e6,
    );
}
