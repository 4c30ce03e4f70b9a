//! A message whose handling kills the process: it is dead-lettered after a few lives, the messages beside it are handled, and a kill from
//! outside costs nothing.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use common::open;
use heal_embedded::limit;
use heal_runtime::port::{Message, QueueName, Receiver, Sender};

#[allow(dead_code, reason = "samples of other tests")]
mod common;

/// Tells the test binary that it is a consumer, and which file it works on.
const DATABASE: &str = "POISON_TEST_DATABASE";
/// Kills the process that handles it.
const POISON: &str = "poison";
/// Keeps the process that handles it busy until somebody kills it.
const SLOW: &str = "slow";

fn message(body: &str) -> Message {
    Message { queue: QueueName::Results, body: body.to_owned(), delay_ms: 0, traceparent: None }
}

/// One life of a consumer.
fn live(path: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "the_consumer", "--ignored", "--nocapture", "--test-threads=1"])
        .env(DATABASE, path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// What a life said it had handled, and whether it ended by itself.
fn said(mut life: Child) -> (Vec<String>, bool) {
    let lines = BufReader::new(life.stdout.take().unwrap()).lines().map_while(Result::ok);
    let handled = lines.filter_map(|line| line.strip_prefix("handled ").map(str::to_owned)).collect();
    (handled, life.wait().unwrap().success())
}

#[tokio::test]
async fn a_message_that_kills_its_process_is_dead_lettered_and_the_others_are_handled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let good: BTreeSet<String> = (0..6).map(|number| format!("good {number}")).collect();
    let store = open(&path).unwrap();
    let bodies = [POISON].into_iter().chain(good.iter().map(String::as_str));
    store.send(bodies.map(message).collect()).await.unwrap();
    let (mut lives, mut handled) = (0, Vec::new());
    loop {
        lives += 1;
        let (more, is_well) = said(live(&path));
        handled.extend(more);
        if is_well {
            break;
        }
        assert!(lives <= limit::MAX_DEATHS, "it kills for ever");
    }
    assert_eq!(lives, limit::MAX_DEATHS + 1);
    assert_eq!(handled.iter().cloned().collect::<BTreeSet<_>>(), good);
    assert_eq!(handled.len(), good.len(), "each once: {handled:?}");
    let letters = store.dead_letters(10).await.unwrap();
    assert_eq!(letters.iter().map(|letter| letter.body.as_str()).collect::<Vec<_>>(), [POISON]);
    assert_eq!(letters[0].reason, format!("the process died {} times with this message in hand", limit::MAX_DEATHS));

    // A person who has removed the cause may send it back: its deaths are forgotten.
    assert!(store.redrive(&letters[0].message_id).await.unwrap());
    let (_, is_well) = said(live(&path));
    assert!(!is_well);
    assert_eq!(store.dead_letters(10).await.unwrap(), vec![]);
}

#[tokio::test]
async fn a_kill_from_outside_costs_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("heal.db");
    let store = open(&path).unwrap();
    store.send(vec![message(SLOW), message("good")]).await.unwrap();
    // Fewer kills than a message may be suspected of.
    for _ in 1..limit::MAX_DEATHS {
        let mut life = live(&path);
        let mut lines = BufReader::new(life.stdout.take().unwrap()).lines().map_while(Result::ok);
        assert!(lines.any(|line| line == "busy"), "the consumer has the slow message in hand");
        life.kill().unwrap();
        life.wait().unwrap();
    }
    assert_eq!(store.dead_letters(10).await.unwrap(), vec![]);
    store.recover().await.unwrap();
    let last = store.receive(&QueueName::Results, 10, 60_000).await.unwrap();
    assert!(last.iter().any(|delivery| delivery.body == SLOW && delivery.receive_count == 1), "{last:?}");
    store.acknowledge(last.into_iter().map(|delivery| delivery.receipt).collect()).await.unwrap();
    drop(store);
    let record = folder.path().join("heal.db.hand");
    assert!(!record.exists(), "a success clears what was counted: {:?}", std::fs::read_to_string(&record));
}

/// Handles one message after another until none is left. Not a test of its own: run without its variable, it does nothing.
#[tokio::test]
#[ignore = "the process that the tests of poison kill"]
async fn the_consumer() {
    #[expect(clippy::disallowed_methods, reason = "the test passes its settings to this process")]
    let Ok(path) = std::env::var(DATABASE) else { return };
    // The test harness has begun a line.
    say("");
    let store = open(&PathBuf::from(path)).unwrap();
    store.recover().await.unwrap();
    loop {
        // All at once in hand, as a host has them.
        let deliveries = store.receive(&QueueName::Results, 10, 60_000).await.unwrap();
        if deliveries.is_empty() {
            return;
        }
        // The good ones first, or they would never be handled while they share a life with the poison.
        let (bad, good): (Vec<_>, Vec<_>) =
            deliveries.into_iter().partition(|delivery| [POISON, SLOW].contains(&delivery.body.as_str()));
        for delivery in good {
            say(&format!("handled {}", delivery.body));
            store.acknowledge(vec![delivery.receipt]).await.unwrap();
        }
        for delivery in bad {
            if delivery.body == POISON {
                std::process::abort();
            }
            say("busy");
            std::future::pending::<()>().await;
        }
    }
}

/// One line, out of the process before anything else happens.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(format!("{line}\n").as_bytes()).unwrap();
    out.flush().unwrap();
}
