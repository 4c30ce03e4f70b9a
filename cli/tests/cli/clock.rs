//! A real process whose clock is set while it works, by Debian's `faketime`.

use std::io::Write as _;
use std::path::Path;

use heal_sandbox::Seed;
use serde_json::json;

use crate::support::{Serve, env, eventually, heal, http, path, platform, playbooks, post};

/// Where Debian and Fedora put the library.
const LIBRARIES: [&str; 3] = [
    "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib/aarch64-linux-gnu/faketime/libfaketime.so.1",
    "/usr/lib64/faketime/libfaketime.so.1",
];
const WAIT: (&str, &str) = (
    "wait.yaml",
    "timeout_seconds: 900\ntriggers: [{incident_type: T}]\nactions: [{type: wait, parameters: {seconds: 3}}]\n",
);

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
    std::fs::write(&file, "+0").unwrap();
    let Some(faked) = faked(&file) else {
        skip("skipped: a real process whose clock is set: libfaketime is missing (scripts/install-faketime.sh)");
        return;
    };
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[WAIT]);
    let variables = [env(&platform), faked].concat();
    let mut serve = Serve::start_logging(&state, folder.path(), &variables, "warn", &log);
    let incident = json!({"incident_id": "i", "incident_type": "T"});
    assert_eq!(post(&format!("{}/api/v1/incidents", serve.url), &incident).await.0, 202);
    let runs = || heal(&["runs", "list", "--state", path(&state), "--json"]).exits(0).stdout;
    eventually("the run waits", || Some(runs()).filter(|runs| runs.contains("RUNNING")));
    std::fs::write(&file, "-3600").unwrap();
    if killed {
        serve.kill();
        serve = Serve::start_logging(&state, folder.path(), &variables, "warn", &log);
    }
    eventually("the run ends", || Some(runs()).filter(|runs| runs.contains("COMPLETED")));
    assert!(std::fs::read_to_string(&log).unwrap().contains("clock.jumped"));
    let metrics = http().get(format!("{}/metrics", serve.url)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("self_healing_clock_jumps_total{direction=\"back\"} 1\n"), "{metrics}");
    drop(serve);
}
