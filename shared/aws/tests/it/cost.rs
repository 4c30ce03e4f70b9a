//! What an attempt costs: the write units of its claim, its cooldown and a budget, counted in front of a local AWS; and that a claim which is not
//! written at once is held as surely as one that is.

use heal_aws::Store;
use heal_runtime::port::{
    BudgetKey, BudgetRequest, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Finish, LeaseOwner,
    Reservation, Stage,
};
use heal_runtime::{AttemptResult, Map};
use heal_stack::meter::{Counts, Meter};
use heal_stack::{MiniStack, table};
use heal_testkit::memory::ManualClock;
use serde_json::json;

use crate::support::session_at;

/// What one attempt does.
#[derive(Debug, Clone, Copy, Default)]
struct Attempt {
    is_cooling: bool,
    budgets: u32,
    /// It acts.
    acts: bool,
    /// It stores first what it is about to do.
    intends: bool,
}

/// Makes one attempt's calls, as a worker does, and counts them.
async fn attempt(store: &Store, meter: &Meter, name: &str, does: Attempt) -> Counts {
    meter.take();
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: name.to_owned() };
    let target = CooldownKey { action: "restart_pod".to_owned(), target: name.to_owned() };
    let now = ManualClock::START;
    let mut request = ClaimRequest::new(key, LeaseOwner("a".to_owned()), now, now.plus_ms(30_000));
    request.cooldowns =
        does.is_cooling.then(|| CooldownRequest { key: target.clone(), cooldown_ms: 1_000 }).into_iter().collect();
    request.budgets = (0..does.budgets)
        .map(|number| BudgetRequest {
            target: target.clone(),
            key: BudgetKey { name: format!("budget-{number}"), key: String::new() },
            max: 20,
            window_ms: 60_000,
        })
        .collect();
    let intent = does.intends.then(|| json!({"uid": name}));
    store.reserve(&ClaimRequest { stage: Stage::Announce, ..request.clone() }).await.unwrap();
    if does.is_cooling || does.budgets > 0 {
        let reserving = ClaimRequest { stage: Stage::Reserve, intent, ..request.clone() };
        store.reserve(&reserving).await.unwrap();
    } else if let Some(intent) = intent {
        assert_eq!(store.intend(&request.key, &request.holder, now, &intent).await.unwrap(), Finish::Stored);
    }
    if does.acts {
        assert_eq!(store.secure(&request.key, &request.holder, now).await.unwrap(), Finish::Stored);
    }
    let result = AttemptResult::succeeded(Map::new());
    assert_eq!(store.finish(&request.key, &request.holder, now, &result, &[]).await.unwrap(), Finish::Stored);
    meter.take()
}

async fn metered() -> (Store, Meter) {
    let meter = Meter::start();
    meter.forward_to(&MiniStack::shared().endpoint_url);
    let table = table::empty(MiniStack::shared()).await;
    (Store::new(&session_at(&meter.url).await, table.table()).unwrap(), meter)
}

/// Each looks once, by half a read unit, whether its claim is free; each budget is read too.
#[tokio::test]
async fn an_attempt_costs_a_write_unit_for_its_result_one_for_its_claim_and_one_for_what_it_reserves() {
    let (store, meter) = metered().await;
    let acts = Attempt { acts: true, ..Attempt::default() };
    let cooling = Attempt { is_cooling: true, intends: true, ..acts };
    let bounded = Attempt { budgets: 2, ..cooling };
    for (name, does, writes, half_reads) in [
        ("denied", Attempt::default(), 1, 1),
        ("bare", acts, 2, 1),
        ("intended", Attempt { intends: true, ..acts }, 2, 1),
        ("cooling", cooling, 3, 1),
        ("bounded", bounded, 5, 5),
        ("again", bounded, 5, 5),
    ] {
        let counts = attempt(&store, &meter, name, does).await;
        assert_eq!((counts.write_units, counts.half_read_units), (writes, half_reads), "{name}: {counts:?}");
    }
}

/// Two processes get one command: both announce the attempt, and one of them gets the claim.
#[tokio::test]
async fn of_two_processes_that_announced_one_attempt_one_acts() {
    let first = table::empty(MiniStack::shared()).await;
    let second = Store::new(&session_at(&MiniStack::shared().endpoint_url).await, first.table()).unwrap();
    let (now, key) = (ManualClock::START, ClaimKey { action: "restart_pod".to_owned(), attempt: "twice".to_owned() });
    let target = CooldownKey { action: "restart_pod".to_owned(), target: "pod".to_owned() };
    let wanted = |by: &str, stage| ClaimRequest {
        stage,
        cooldowns: vec![CooldownRequest { key: target.clone(), cooldown_ms: 1_000 }],
        intent: Some(json!({"by": by})),
        ..ClaimRequest::new(key.clone(), LeaseOwner(by.to_owned()), now, now.plus_ms(30_000))
    };
    let held = Reservation::Held { recovered: false, cooling: Vec::new(), budgets: Vec::new() };
    let (one, other) = (LeaseOwner("one".to_owned()), LeaseOwner("other".to_owned()));
    assert_eq!(first.reserve(&wanted("one", Stage::Announce)).await.unwrap(), held);
    assert_eq!(second.reserve(&wanted("other", Stage::Announce)).await.unwrap(), held);
    assert_eq!(second.reserve(&wanted("other", Stage::Reserve)).await.unwrap(), held);
    let busy = Reservation::Busy { until: now.plus_ms(30_000) };
    assert_eq!(first.reserve(&wanted("one", Stage::Reserve)).await.unwrap(), busy);
    assert_eq!(first.intent(&key).await.unwrap(), Some(json!({"by": "other"})));
    let result = AttemptResult::succeeded(Map::new());
    assert_eq!(first.finish(&key, &one, now, &result, &[]).await.unwrap(), Finish::Lost);
    assert_eq!(second.finish(&key, &other, now, &result, &[]).await.unwrap(), Finish::Stored);

    // The same at the moment before the effect, of an action that reserves nothing, and at the end of an attempt that did nothing.
    for (attempt, acts) in [("secured", true), ("ended", false)] {
        let key = ClaimKey { attempt: attempt.to_owned(), ..key.clone() };
        let announced = |by: &LeaseOwner| ClaimRequest {
            stage: Stage::Announce,
            ..ClaimRequest::new(key.clone(), by.clone(), now, now.plus_ms(30_000))
        };
        assert_eq!(first.reserve(&announced(&one)).await.unwrap(), held);
        assert_eq!(second.reserve(&announced(&other)).await.unwrap(), held);
        if acts {
            assert_eq!(second.secure(&key, &other, now).await.unwrap(), Finish::Stored);
            assert_eq!(first.secure(&key, &one, now).await.unwrap(), Finish::Lost);
        }
        assert_eq!(second.finish(&key, &other, now, &result, &[]).await.unwrap(), Finish::Stored);
        assert_eq!(first.finish(&key, &one, now, &result, &[]).await.unwrap(), Finish::Lost);
        // The first process reads the result when the command comes again.
        let finished = Reservation::Finished(Box::new(result.clone()));
        assert_eq!(first.reserve(&announced(&one)).await.unwrap(), finished);
    }
}
