//! The notifier: told once, told after every crash, and no channel waits for another.

use std::sync::Arc;
use std::time::Duration;

use heal_engine::notice::{Notice, Owed, Quiet, Route};
use heal_engine::turn::Input;
use heal_engine::{RunId, Timestamp, format};
use heal_runtime::dispatcher::{COMMIT_WITHIN_MS, IntakeOutcome};
use heal_runtime::inbox::DeliveryOutcome;
use heal_runtime::port::{Clock as _, Delivery, Receiver as _, RunReader as _};
use heal_testkit::memory::When;
use serde_json::json;

use crate::rig::{EXPIRES_SECONDS, events, hook, incident, rig};
use crate::server::{Answer, Server};
use crate::support::rules;

#[tokio::test]
async fn what_a_run_commits_is_told_once_whatever_is_delivered_again() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    let outcome = rig.dispatcher.accept("no json", "m-1", None).await.unwrap();
    assert!(matches!(outcome, IntakeOutcome::Rejected { .. }), "{outcome:?}");
    rig.dispatcher.accept("no json", "m-1", None).await.unwrap();
    let notifier = rig.notifier(&rules, &server.url);
    rig.drain(&notifier).await;
    assert_eq!(events(&server), ["heal.run_ended"]);
    assert_eq!(server.only().json()["data"]["outcome"], "FAILED");
}

#[tokio::test]
async fn the_end_of_a_run_is_told_even_if_the_sweep_dies_with_its_commit() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    let IntakeOutcome::Started { run_id, .. } = rig.dispatcher.accept(&incident("i-1"), "m-1", None).await.unwrap()
    else {
        panic!("the run starts");
    };
    rig.clock.advance_ms((EXPIRES_SECONDS + 1) * 1_000);
    // Stored, and nothing after that: no sweep and no input will ever touch this run again.
    rig.faults.fail_next_of("runs.append", 1, When::After);
    rig.dispatcher.take(&run_id, "sweep:1", &[Input::Wake]).await.unwrap_err();
    rig.faults.clear();
    assert!(rig.runs.head(&run_id).await.unwrap().unwrap().outcome.is_some());
    let notifier = rig.notifier(&rules, &server.url);
    for delivery in rig.deliveries().await {
        notifier.take(delivery).await;
    }
    assert_eq!(events(&server), ["heal.approval_requested", "heal.run_ended"]);
    let ended = server.got()[1].json()["data"].clone();
    assert_eq!(
        (&ended["run_id"], &ended["outcome"], &ended["severity"]),
        (&json!(run_id), &json!("CANCELLED"), &json!("HIGH"))
    );
}

#[tokio::test]
async fn a_dispatcher_that_dies_after_its_commit_leaves_the_notice_on_the_queue() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    // The commit is stored and its answer lost, as for a process that dies then: nothing after it happens.
    rig.faults.fail_next_of("runs.create", 1, When::After);
    rig.dispatcher.accept("no json", "m-1", None).await.unwrap_err();
    rig.faults.clear();
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    assert_eq!(events(&server), ["heal.run_ended"]);
}

#[tokio::test]
async fn an_announced_commit_that_was_never_made_comes_to_nothing() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    rig.faults.fail_next_of("runs.create", 1, When::Before);
    rig.dispatcher.accept("no json", "m-1", None).await.unwrap_err();
    rig.faults.clear();
    let began = rig.clock.now();
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    assert!(server.got().is_empty());
    assert!(rig.queues.dead_letters(10).await.unwrap().is_empty());
    assert!(rig.clock.now().since_ms(began) >= COMMIT_WITHIN_MS, "it is waited for");
}

#[tokio::test]
async fn a_queue_that_refuses_at_first_gets_the_notice_after_the_commit() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    rig.faults.fail_next_of("queue.send", 1, When::Before);
    rig.dispatcher.accept("no json", "m-1", None).await.unwrap();
    rig.faults.clear();
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    assert_eq!(events(&server), ["heal.run_ended"]);
}

#[tokio::test]
async fn a_notifier_that_dies_while_it_tells_is_followed_by_one_more_telling_and_no_third() {
    let (rig, server) = (rig(), Server::start().await);
    let rules = rules(&[("hook", hook(&server.url))]);
    rig.send(&rig.notice("halt-1")).await;
    for _ in 0..3 {
        server.answer([Answer { after: Duration::from_secs(30), ..Answer::of(200) }]);
        let delivery = rig.deliveries().await.pop().unwrap();
        let told = server.got().len();
        let notifier = rig.notifier(&rules, &server.url);
        let telling = tokio::spawn(async move { notifier.take(delivery).await });
        for _ in 0..2_000 {
            if server.got().len() > told || telling.is_finished() {
                break;
            }
            tokio::task::yield_now().await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        telling.abort();
        rig.clock.advance_ms(60_001);
    }
    assert_eq!(server.got().len(), 2);
    rig.drain(&rig.notifier(&rules, &server.url)).await;
    assert_eq!((server.got().len(), rig.queues.pending()), (2, 0));
}

#[tokio::test]
async fn a_channel_that_is_down_delays_no_other_and_is_told_when_it_is_up() {
    let (rig, up, down) = (rig(), Server::start().await, Server::start().await);
    let rules = rules(&[("down", hook(&down.url)), ("up", hook(&up.url))]);
    down.answer([Answer { retry_after: Some(120), ..Answer::of(503) }]);
    rig.send(&rig.notice("halt-1")).await;
    rig.send(&rig.notice("halt-2")).await;
    let notifier = rig.notifier(&rules, &up.url);
    for delivery in rig.deliveries().await {
        let settled = notifier.take(delivery).await;
        match settled.outcome {
            DeliveryOutcome::Retry { delay_ms } => assert_eq!(delay_ms, 120_000, "as the channel asks"),
            other => panic!("{other:?}"),
        }
        heal_runtime::inbox::settle(&*rig.queues, vec![settled]).await;
    }
    assert_eq!((up.got().len(), down.got().len()), (2, 1), "the channel that is down is not asked again");
    rig.drain(&notifier).await;
    assert_eq!((up.got().len(), down.got().len()), (2, 3));
}

#[tokio::test]
async fn a_channel_that_refuses_leaves_a_dead_letter_that_tells_only_it_once_redriven() {
    let (rig, up, gone) = (rig(), Server::start().await, Server::start().await);
    let rules = rules(&[("gone", hook(&gone.url)), ("up", hook(&up.url))]);
    gone.answer([Answer::of(410)]);
    rig.send(&rig.notice("halt-1")).await;
    let notifier = rig.notifier(&rules, &up.url);
    rig.drain(&notifier).await;
    let dead = rig.queues.dead_letters(10).await.unwrap();
    assert_eq!(dead[0].reason, "channel gone: answered 410 Gone: as told");
    assert!(rig.queues.redrive(&dead[0].message_id).await.unwrap());
    rig.drain(&notifier).await;
    assert_eq!((up.got().len(), gone.got().len()), (1, 2));
}

#[tokio::test]
async fn nobody_is_told_what_is_a_day_old_or_what_no_route_admits() {
    let (rig, server) = (rig(), Server::start().await);
    let everything = rules(&[("hook", hook(&server.url))]);
    rig.send(&Notice {
        at: Timestamp(rig.clock.now().0 - heal_notify::notifier::STALE_MS - 1),
        ..rig.notice("halt-1")
    })
    .await;
    rig.drain(&rig.notifier(&everything, &server.url)).await;
    rig.send(&rig.notice("halt-2")).await;
    rig.drain(&rig.notifier(&Arc::default(), &server.url)).await;
    assert_eq!((server.got().len(), rig.queues.pending()), (0, 0));
}

#[tokio::test]
async fn a_message_of_a_newer_build_stays_and_one_of_nobody_is_a_dead_letter() {
    let rig = rig();
    let notifier = rig.notifier(&Arc::default(), "http://127.0.0.1:1");
    for (body, stays) in [("{\"format\":3}", true), ("nothing", false)] {
        let delivery = Delivery {
            receipt: "r".to_owned(),
            message_id: "m".to_owned(),
            body: body.to_owned(),
            receive_count: 1,
            traceparent: None,
            sender: None,
        };
        let outcome = notifier.take(delivery).await.outcome;
        assert_eq!(matches!(outcome, DeliveryOutcome::Retry { .. }), stays, "{outcome:?}");
    }
}

#[tokio::test]
async fn what_is_admitted_in_quiet_hours_waits_for_their_end_and_the_rest_does_not() {
    let (rig, now, later) = (rig(), Server::start().await, Server::start().await);
    // The clock starts at 08:00 in UTC.
    let quiet = Quiet { from: "07:00".to_owned(), to: "09:00".to_owned(), time_zone: "UTC".to_owned() };
    let mut both = (*rules(&[("later", hook(&later.url)), ("now", hook(&now.url))])).clone();
    both.routes[0].quiet = Some(quiet);
    both.routes.push(Route { to: vec!["now".to_owned()], ..Route::default() });
    let notifier = rig.notifier(&Arc::new(both), &now.url);
    rig.send(&rig.notice("halt-1")).await;
    let began = rig.clock.now();
    let settled = notifier.take(rig.deliveries().await.pop().unwrap()).await;
    assert_eq!(settled.outcome, DeliveryOutcome::Acknowledge);
    heal_runtime::inbox::settle(&*rig.queues, vec![settled]).await;
    assert_eq!((now.got().len(), later.got().len(), rig.queues.pending()), (1, 0, 1));
    rig.drain(&notifier).await;
    assert_eq!((now.got().len(), later.got().len(), rig.queues.pending()), (1, 1, 0));
    assert!(rig.clock.now().since_ms(began) >= 3_600_000, "{:?}", rig.clock.now());
}

/// What is on the queue has to be read by the next build too.
#[test]
fn the_messages_are_those_of_the_golden_files() {
    let commit = Owed::Commit { run_id: RunId::new("run-1"), first_seq: 12, at: Timestamp(1_700_000_000_000) };
    let notice = Owed::Notice(Box::new(crate::support::asked()));
    let (at, since) = (Timestamp(1_700_000_000_000), Timestamp(1_699_990_000_000));
    let digest = Owed::Digest { channel: "chat".to_owned(), at, since };
    for (text, owed) in [
        (include_str!("../golden/commit.json"), commit),
        (include_str!("../golden/notice.json"), notice),
        (include_str!("../golden/digest.json"), digest),
    ] {
        assert_eq!(format::decode::<Owed>(text).unwrap(), owed);
        assert_eq!(format::encode(&owed), text.trim_end());
    }
}
