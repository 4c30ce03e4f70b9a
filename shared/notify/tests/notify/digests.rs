//! Digests: told at their time, each notice in one of them, whatever is delivered again and whoever dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use heal_engine::Timestamp;
use heal_engine::notice::{DigestTimes, Notice, NoticeEvent, Owed, Route, Rules};
use heal_notify::Notifier;
use heal_runtime::dispatcher::{COMMIT_WITHIN_MS, notify_message};
use heal_runtime::inbox::{DeliveryOutcome, settle};
use heal_runtime::port::{Clock as _, Sender as _};
use heal_testkit::memory::When;

use crate::rig::{Rig, hook, rig};
use crate::server::Server;
use crate::support::{asked, rules};

const HOUR_MS: u64 = 3_600_000;

/// A digest at 09:00 and 16:00; the clock of the rig starts at 08:00.
fn daily(url: &str) -> Arc<Rules> {
    let mut rules = (*rules(&[("chat", hook(url))])).clone();
    let at = ["09:00", "16:00"].map(ToOwned::to_owned).to_vec();
    rules.routes[0].digest = Some(DigestTimes { at, time_zone: "UTC".to_owned() });
    Arc::new(rules)
}

fn ended(rig: &Rig, run: &str) -> Notice {
    Notice::new(NoticeEvent::RunEnded, run, rig.clock.now(), format!("{run} ended"))
}

/// What each digest said, by the key of its notice, and how often it was told.
fn told(server: &Server) -> BTreeMap<String, (usize, Vec<String>)> {
    let mut told = BTreeMap::<String, (usize, Vec<String>)>::new();
    for event in server.got().iter().map(super::server::Got::json).filter(|event| event["type"] == "heal.digest") {
        let lines = event["data"]["detail"].as_str().unwrap().lines();
        let lines: Vec<String> = lines.map(|line| line.split_once(' ').unwrap().1.to_owned()).collect();
        let entry = told.entry(event["id"].as_str().unwrap().to_owned()).or_insert((0, lines.clone()));
        assert_eq!(entry.1, lines, "the same digest says the same");
        entry.0 += 1;
    }
    told
}

/// Every notice of every digest, in order.
fn lines(server: &Server) -> Vec<String> {
    let mut lines: Vec<String> = told(server).into_values().flat_map(|(_, lines)| lines).collect();
    lines.sort();
    lines
}

/// Takes what is due now, without waiting.
async fn take(rig: &Rig, notifier: &Notifier) -> Vec<DeliveryOutcome> {
    let mut outcomes = Vec::new();
    for delivery in rig.deliveries().await {
        let settled = notifier.take(delivery).await;
        outcomes.push(settled.outcome.clone());
        settle(&*rig.queues, vec![settled]).await;
    }
    outcomes
}

#[tokio::test]
async fn what_can_wait_is_told_at_once_at_its_time_and_a_question_is_asked_at_once() {
    let (rig, server) = (rig(), Server::start().await);
    let notifier = rig.notifier(&daily(&server.url), &server.url);
    for run in ["run-1", "run-2"] {
        rig.send(&ended(&rig, run)).await;
    }
    rig.send(&Notice { at: rig.clock.now(), ..asked() }).await;
    take(&rig, &notifier).await;
    assert_eq!(server.only().json()["type"], "heal.approval_requested");
    rig.clock.advance_ms(HOUR_MS - 6_000);
    take(&rig, &notifier).await;
    assert_eq!(server.got().len(), 1, "it is not 09:00");
    rig.drain(&notifier).await;
    let digest = server.got()[1].json();
    assert_eq!(digest["data"]["title"], "Digest: 2 notices");
    assert_eq!(digest["data"]["link"], "https://heal.example.org/");
    assert_eq!((lines(&server), server.got().len()), (vec!["run-1 ended".to_owned(), "run-2 ended".to_owned()], 2));
}

#[tokio::test]
async fn a_channel_that_another_route_leads_to_at_once_is_told_at_once() {
    let (rig, server) = (rig(), Server::start().await);
    let mut rules = (*daily(&server.url)).clone();
    rules.routes.push(Route { to: vec!["chat".to_owned()], ..Route::default() });
    rig.send(&ended(&rig, "run-1")).await;
    rig.drain(&rig.notifier(&Arc::new(rules), &server.url)).await;
    assert_eq!((server.only().json()["type"].as_str(), rig.queues.pending()), (Some("heal.run_ended"), 0));
}

#[tokio::test]
async fn what_is_delivered_again_is_in_one_digest() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = daily(&server.url);
    let notice = ended(&rig, "run-1");
    for _ in 0..3 {
        rig.send(&notice).await;
        rig.send(&ended(&rig, "run-2")).await;
        // Another process each time, which knows nothing of the earlier ones.
        take(&rig, &rig.notifier(&rules, &server.url)).await;
    }
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    // The opening message may be there several times.
    assert_eq!(told(&server).into_values().map(|(times, lines)| (times, lines.len())).collect::<Vec<_>>(), [(1, 2)]);
    rig.clock.advance_ms(7 * HOUR_MS);
    rig.send(&notice).await;
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    assert_eq!(server.got().len(), 1, "it was in the digest of 09:00");
}

#[tokio::test]
async fn what_comes_after_a_digest_was_told_is_in_the_next_one() {
    let (rig, server) = (rig(), Server::start().await);
    let notifier = rig.notifier(&daily(&server.url), &server.url);
    let late = ended(&rig, "run-late");
    rig.send(&ended(&rig, "run-1")).await;
    rig.drain(&notifier).await;
    rig.send(&late).await;
    take(&rig, &notifier).await;
    assert_eq!(lines(&server), ["run-1 ended"]);
    rig.clock.advance_ms(7 * HOUR_MS);
    rig.drain(&notifier).await;
    assert_eq!(
        told(&server).into_values().map(|(_, lines)| lines).collect::<Vec<_>>(),
        [["run-1 ended"], ["run-late ended"]]
    );
}

#[tokio::test]
async fn a_digest_that_nothing_was_added_to_is_waited_for_and_then_closed() {
    let (rig, server) = (rig(), Server::start().await);
    let notifier = rig.notifier(&daily(&server.url), &server.url);
    let notice = ended(&rig, "run-1");
    let nine = Timestamp(rig.clock.now().0 + HOUR_MS);
    rig.clock.advance_ms(HOUR_MS + 1_000);
    let owed = Owed::Digest { channel: "chat".to_owned(), at: nine, since: rig.clock.now() };
    rig.queues.send(vec![notify_message(&owed)]).await.unwrap();
    let outcomes = take(&rig, &notifier).await;
    assert!(
        matches!(outcomes[..], [DeliveryOutcome::Retry { .. }]),
        "its first notice may be on the way: {outcomes:?}"
    );
    rig.clock.advance_ms(COMMIT_WITHIN_MS);
    assert_eq!(take(&rig, &notifier).await, [DeliveryOutcome::Acknowledge]);
    // Whoever stood still meanwhile finds it closed, and nothing is forgotten.
    rig.send(&notice).await;
    take(&rig, &notifier).await;
    assert!(server.got().is_empty());
    rig.clock.advance_ms(7 * HOUR_MS);
    rig.drain(&notifier).await;
    assert_eq!(lines(&server), ["run-1 ended"]);
}

#[tokio::test]
async fn a_full_digest_leaves_the_rest_to_the_next_one() {
    let (rig, server) = (rig(), Server::start().await);
    let notifier = rig.notifier(&daily(&server.url), &server.url);
    for number in 0..203 {
        rig.send(&ended(&rig, &format!("run-{number}"))).await;
        take(&rig, &notifier).await;
    }
    rig.drain(&notifier).await;
    rig.clock.advance_ms(7 * HOUR_MS);
    rig.drain(&notifier).await;
    let titles: Vec<_> = server.got().iter().map(|got| got.json()["data"]["title"].clone()).collect();
    assert_eq!(titles, ["Digest: 200 notices", "Digest: 3 notices"]);
}

/// The notifier dies before or after any one of its calls, and another process goes on.
#[tokio::test]
async fn whoever_dies_every_notice_is_in_one_digest_which_is_told_twice_at_most() {
    let operations = ["claims.intent", "claims.reserve", "claims.intend", "claims.finish", "queue.send"];
    let (mut deaths, mut twice) = (0, 0);
    for operation in operations {
        for when in [When::Before, When::After] {
            for skipped in 0..6 {
                let (has_died, times) = dies(operation, skipped, when).await;
                deaths += usize::from(has_died);
                twice += usize::from(times == 2);
            }
        }
    }
    assert!(deaths > 30, "only {deaths} deaths came to pass");
    assert!(twice > 0, "nobody has died between telling and noting it");
}

/// Whether the notifier died at its call number `skipped` of `operation`, and how often the digest was told.
async fn dies(operation: &'static str, skipped: usize, when: When) -> (bool, usize) {
    let (rig, server) = (rig(), Server::start().await);
    let rules = daily(&server.url);
    for run in ["run-1", "run-2", "run-3"] {
        rig.send(&ended(&rig, run)).await;
    }
    let (calls, is_dead) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    for faults in [&rig.faults, &rig.claim_faults] {
        let (calls, is_dead) = (calls.clone(), is_dead.clone());
        faults.decide_by(move |called| {
            if is_dead.load(Ordering::Relaxed) {
                return Some(When::Before);
            }
            let dies = called == operation && calls.fetch_add(1, Ordering::Relaxed) == skipped;
            is_dead.store(dies, Ordering::Relaxed);
            dies.then_some(when)
        });
    }
    let mut deaths = 0;
    // A process of its own for each message: none knows what the one before it has done.
    for _ in 0..40 {
        for delivery in rig.deliveries().await {
            let settled = rig.notifier(&rules, &server.url).take(delivery).await;
            if is_dead.swap(false, Ordering::Relaxed) {
                deaths += 1;
            } else {
                settle(&*rig.queues, vec![settled]).await;
            }
        }
        rig.clock.advance_ms(120_000);
    }
    let place = format!("{operation} {skipped} {when:?}");
    assert_eq!(rig.queues.pending(), 0, "{place}");
    assert_eq!(lines(&server), ["run-1 ended", "run-2 ended", "run-3 ended"], "{place}");
    let times = told(&server).into_values().map(|(times, _)| times).max().unwrap_or_default();
    assert!(times <= 2, "{place}");
    (deaths > 0, times)
}
