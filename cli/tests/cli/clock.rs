//! A real process whose clock is set while it works, by Debian's `faketime`.

use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use heal_sandbox::Seed;
use serde_json::json;
use tokio::time::Instant;

use crate::support::{PATIENCE, Serve, env, get, http, path, platform, playbooks, post};

/// Where Debian and Fedora put the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];
const WAIT: (&str, &str) = (
    "wait.yaml",
    "timeout_seconds: 900\ntriggers: [{incident_type: T}]\nactions: [{type: wait, parameters: {seconds: 5}}]\n",
);

const RUN: &str = "run-1";

/// The variables that set a process' wall clock by the text of `file`, such as `-1h`; its monotonic clock stays.
fn faked(file: &Path) -> Option<Vec<(String, String)>> {
    let library = LIBRARIES.into_iter().find(|library| Path::new(library).exists())?;
    let variables = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", path(file)),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
        ("DONT_FAKE_MONOTONIC", "1"),
    ];
    Some(variables.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec())
}

/// `CI` forbids it, and `HEAL_TEST_SKIPS` (a file) records it.
#[expect(clippy::disallowed_methods, reason = "scripts/test.sh sets the variables")]
fn skip(skipped: &str) {
    assert!(!std::env::var("CI").is_ok_and(|ci| ci == "1" || ci == "true"), "{skipped}");
    eprintln!("{skipped}");
    if let Some(skips) = std::env::var_os("HEAL_TEST_SKIPS") {
        let mut skips = std::fs::OpenOptions::new().append(true).open(skips).unwrap();
        skips.write_all(format!("{skipped}\n").as_bytes()).unwrap();
    }
}

/// Whole at every moment: a process reads `file` at each look at its clock, and an empty one would be no jump, or two.
fn set(file: &Path, text: &str) {
    let written = file.with_extension("written");
    std::fs::write(&written, text).unwrap();
    std::fs::rename(&written, file).unwrap();
}

/// Asks the process itself: a `heal` started for each look may take longer than the run waits.
async fn until(serve: &Serve, wanted: &str) {
    let give_up = Instant::now() + PATIENCE;
    loop {
        let (_, answer) = get(&format!("{}/api/v1/remediation/{RUN}/status", serve.url)).await;
        if answer["status"] == wanted {
            return;
        }
        assert!(Instant::now() < give_up, "not {wanted} within {} s: {answer}", PATIENCE.as_secs());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_of_seconds_does_not_take_an_hour_although_the_clock_is_put_back_one() {
    wait_while_the_clock_is_put_back(false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nor_if_the_process_is_killed_meanwhile() {
    wait_while_the_clock_is_put_back(true).await;
}

async fn wait_while_the_clock_is_put_back(killed: bool) {
    let home = tempfile::tempdir().unwrap();
    let (state, log, file) = (home.path().join("state.db"), home.path().join("log"), home.path().join("time"));
    set(&file, "+0");
    let Some(faked) = faked(&file) else {
        skip("skipped: a real process whose clock is set: libfaketime is missing (scripts/install-faketime.sh)");
        return;
    };
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[WAIT]);
    let variables = [env(&platform), faked].concat();
    let mut serve = Serve::start_logging(&state, folder.path(), &variables, "warn", &log);
    let asked = json!({"remediation_id": RUN, "incident_id": "i", "playbook_name": "wait"});
    let (status, answer) = post(&format!("{}/api/v1/remediation/execute", serve.url), &asked).await;
    assert_eq!(status, 202, "{answer}");
    until(&serve, "RUNNING").await;
    set(&file, "-3600");
    if killed {
        serve.kill();
        serve = Serve::start_logging(&state, folder.path(), &variables, "warn", &log);
    }
    until(&serve, "COMPLETED").await;
    let logged = std::fs::read_to_string(&log).unwrap();
    assert!(logged.contains("clock.jumped"), "{logged}");
    let metrics = http().get(format!("{}/metrics", serve.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("self_healing_clock_jumps_total{direction=\"back\"} 1\n"), "{metrics}");
    drop(serve);
}
