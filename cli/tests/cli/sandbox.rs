//! `heal sandbox`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use crate::support::{command, get, heal, path};

#[tokio::test(flavor = "multi_thread")]
async fn its_export_lines_point_at_services_with_the_state_of_the_seed() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.json");
    std::fs::write(&seed, r#"{"tickets": [{"ticket_id": "mine", "status": "RUNNING"}]}"#).unwrap();
    let mut command = command(&["sandbox", "--seed", path(&seed), "--dialect", "status_patch"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut exports = std::collections::BTreeMap::new();
    while !exports.contains_key("HEAL_SANDBOX_CONTROL_URL") {
        let line = lines.next().unwrap().unwrap();
        let (name, value) = line.strip_prefix("export ").unwrap().split_once('=').unwrap();
        exports.insert(name.to_owned(), value.to_owned());
    }
    assert_eq!(exports["EXECUTION_TICKET_SERVICE_API"], "status_patch");
    let (status, ticket) = get(&format!("{}/tickets/mine", exports["EXECUTION_TICKET_SERVICE_URL"])).await;
    assert_eq!((status, &ticket["status"]), (200, &"RUNNING".into()));
    std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_wrong_seed_or_port_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let seed = folder.path().join("seed.json");
    std::fs::write(&seed, r#"{"tickets": [{"ticket_id": "a"}]}"#).unwrap();
    heal(&["sandbox", "--seed", path(&seed)]).exits(2).complains(&["seed.json", "tickets[0]"]);
    heal(&["sandbox", "--ports", "opa=x"]).exits(2).complains(&["opa: `x`"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    heal(&["sandbox", "--ports", &format!("opa={port}")]).exits(2).complains(&["opa", &port.to_string()]);
}
