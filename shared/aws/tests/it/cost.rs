//! What an attempt costs: the write units of its claim, its cooldown and a budget, counted in front of a local AWS.

use heal_aws::Store;
use heal_runtime::port::{
    BudgetKey, BudgetRequest, ClaimKey, ClaimRequest, ClaimStore, CooldownKey, CooldownRequest, Finish, LeaseOwner,
    Stage,
};
use heal_runtime::{AttemptResult, Map};
use heal_stack::meter::{Counts, Meter};
use heal_stack::{MiniStack, table};
use heal_testkit::memory::ManualClock;

use crate::support::session_at;

/// Makes one attempt's calls, as a worker does, and counts them.
async fn attempt(store: &Store, meter: &Meter, name: &str, is_cooling: bool, budgets: u32) -> Counts {
    meter.take();
    let key = ClaimKey { action: "restart_pod".to_owned(), attempt: name.to_owned() };
    let target = CooldownKey { action: "restart_pod".to_owned(), target: name.to_owned() };
    let now = ManualClock::START;
    let mut request = ClaimRequest::new(key, LeaseOwner("a".to_owned()), now, now.plus_ms(30_000));
    request.cooldowns =
        is_cooling.then(|| CooldownRequest { key: target.clone(), cooldown_ms: 1_000 }).into_iter().collect();
    request.budgets = (0..budgets)
        .map(|number| BudgetRequest {
            target: target.clone(),
            key: BudgetKey { name: format!("budget-{number}"), key: String::new() },
            max: 20,
            window_ms: 60_000,
        })
        .collect();
    store.reserve(&ClaimRequest { stage: Stage::Announce, ..request.clone() }).await.unwrap();
    if is_cooling || budgets > 0 {
        store.reserve(&ClaimRequest { stage: Stage::Reserve, ..request.clone() }).await.unwrap();
    }
    let result = AttemptResult::succeeded(Map::new());
    assert_eq!(store.finish(&request.key, &request.holder, now, &result, &[]).await.unwrap(), Finish::Stored);
    meter.take()
}

#[tokio::test]
async fn a_cooldown_and_each_budget_cost_an_attempt_one_write_unit() {
    let meter = Meter::start();
    meter.forward_to(&MiniStack::shared().endpoint_url);
    let table = table::empty(MiniStack::shared()).await;
    let store = Store::new(&session_at(&meter.url).await, table.table()).unwrap();
    for (name, is_cooling, budgets, writes, half_reads) in
        [("bare", false, 0, 2, 0), ("cooling", true, 0, 3, 0), ("bounded", true, 2, 5, 4), ("again", true, 2, 5, 4)]
    {
        let counts = attempt(&store, &meter, name, is_cooling, budgets).await;
        assert_eq!((counts.write_units, counts.half_read_units), (writes, half_reads), "{name}: {counts:?}");
    }
}
