use std::collections::BTreeSet;

use heal_runtime::port::{NewRun, RunFilter, RunHead};
use heal_runtime::{Digest, RunStatus, Timestamp};

use super::Runs;
use crate::contract::sample::{T0, commit, head, new_run};

fn run(run_id: &str, playbook: &str, status: RunStatus, started_at: Timestamp) -> NewRun {
    let run = new_run(run_id);
    let head = RunHead { playbook: Some(playbook.to_owned()), status, started_at, ..run.head.clone() };
    NewRun { head, ..run }
}

/// `count` running runs, one a second, named by their number.
async fn fill(store: &Runs, numbers: impl IntoIterator<Item = u64>) {
    for number in numbers {
        let started_at = T0.plus_ms(number * 1_000);
        store.create(&run(&format!("run-{number:03}"), "p", RunStatus::Running, started_at)).await.unwrap();
    }
}

/// The run ids of one page, and its cursor.
async fn page(store: &Runs, filter: &RunFilter, limit: usize, cursor: Option<&str>) -> (Vec<String>, Option<String>) {
    let page = store.list(filter, limit, cursor).await.unwrap();
    (page.runs.iter().map(|head| head.run_id.to_string()).collect(), page.next)
}

async fn all(store: &Runs, filter: &RunFilter) -> Vec<String> {
    page(store, filter, 1_000, None).await.0
}

/// The pages of a listing, one after the other.
async fn pages(store: &Runs, filter: &RunFilter, limit: usize) -> Vec<Vec<String>> {
    let mut pages = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let (runs, next) = page(store, filter, limit, cursor.as_deref()).await;
        pages.push(runs);
        assert!(pages.len() < 100, "a listing ends");
        match next {
            None => return pages,
            Some(next) => cursor = Some(next),
        }
    }
}

pub async fn a_plan_is_stored_under_its_digest(store: Runs) {
    let (digest, plan) = (Digest::of(b"plan"), "{\"name\":\"ünïcode\"}");
    assert_eq!(store.plan(&digest).await.unwrap(), None);
    store.put_plan(&digest, plan, T0).await.unwrap();
    store.put_plan(&digest, plan, T0).await.unwrap();
    assert_eq!(store.plan(&digest).await.unwrap().as_deref(), Some(plan));
    assert_eq!(store.plan(&Digest::of(b"other")).await.unwrap(), None);
}

pub async fn a_listing_is_newest_first(store: Runs) {
    fill(&store, [2, 1, 3]).await;
    assert_eq!(all(&store, &RunFilter::default()).await, ["run-003", "run-002", "run-001"]);
}

pub async fn a_listing_filters_by_status_playbook_and_start(store: Runs) {
    let mut number = 0;
    for playbook in ["p", "q"] {
        for status in RunStatus::ALL {
            let started_at = T0.plus_ms(number);
            store.create(&run(&format!("{playbook}-{}", status.as_str()), playbook, status, started_at)).await.unwrap();
            number += 1;
        }
    }
    for status in RunStatus::ALL {
        let only = RunFilter { status: Some(status), ..RunFilter::default() };
        assert_eq!(all(&store, &only).await, [format!("q-{}", status.as_str()), format!("p-{}", status.as_str())]);
        let both = RunFilter { playbook: Some("p".to_owned()), ..only };
        assert_eq!(all(&store, &both).await, [format!("p-{}", status.as_str())]);
    }
    let q = RunFilter { playbook: Some("q".to_owned()), ..RunFilter::default() };
    assert_eq!(all(&store, &q).await.len(), 7);
    let since = RunFilter { since: Some(T0.plus_ms(7)), ..RunFilter::default() };
    assert_eq!(all(&store, &since).await, all(&store, &q).await);
    let everything = RunFilter { status: Some(RunStatus::Pending), since: Some(T0.plus_ms(7)), ..q };
    assert_eq!(all(&store, &everything).await, ["q-PENDING"]);
    let nothing = RunFilter { since: Some(T0.plus_ms(8)), ..everything };
    assert_eq!(all(&store, &nothing).await, [] as [&str; 0]);
}

pub async fn a_listing_follows_the_status(store: Runs) {
    fill(&store, 1..=3).await;
    let end = commit("run-002", 2, "end", 1);
    store.append(&end, &RunHead { status: RunStatus::Failed, ..head(&end) }, None).await.unwrap();
    let with = |status| RunFilter { status: Some(status), ..RunFilter::default() };
    assert_eq!(all(&store, &with(RunStatus::Running)).await, ["run-003", "run-001"]);
    assert_eq!(all(&store, &with(RunStatus::Failed)).await, ["run-002"]);
    let page = store.list(&with(RunStatus::Failed), 10, None).await.unwrap();
    assert_eq!(page.runs, vec![store.head(&end.run_id).await.unwrap().unwrap()]);
}

pub async fn pages_cover_every_run_once(store: Runs) {
    fill(&store, 0..23).await;
    let whole = all(&store, &RunFilter::default()).await;
    assert_eq!(whole.len(), 23);
    for limit in [1, 5, 22, 23, 24] {
        let pages = pages(&store, &RunFilter::default(), limit).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.len(), whole.len().div_ceil(limit), "pages of {limit}");
        assert_eq!(pages.concat(), whole);
    }
    let running = RunFilter {
        status: Some(RunStatus::Running),
        playbook: Some("p".to_owned()),
        since: Some(T0.plus_ms(10_000)),
        ..RunFilter::default()
    };
    assert_eq!(pages(&store, &running, 4).await.concat(), whole[..13]);
}

pub async fn runs_of_one_moment_are_paged_without_loss(store: Runs) {
    for number in 0..10 {
        store.create(&run(&format!("run-{number}"), "p", RunStatus::Running, T0)).await.unwrap();
    }
    let seen: Vec<String> = pages(&store, &RunFilter::default(), 3).await.concat();
    assert_eq!(seen.len(), 10);
    assert_eq!(seen.iter().collect::<BTreeSet<_>>().len(), 10);
}

pub async fn a_cursor_is_stable_under_inserts(store: Runs) {
    fill(&store, (0..10).map(|number| number * 2)).await;
    let (first, cursor) = page(&store, &RunFilter::default(), 5, None).await;
    assert_eq!(first, ["run-018", "run-016", "run-014", "run-012", "run-010"]);
    // Newer runs, one at a time that the listing has passed, and one at a time that it has not reached.
    fill(&store, [30, 31, 15, 5]).await;
    let (second, next) = page(&store, &RunFilter::default(), 10, cursor.as_deref()).await;
    assert_eq!(second, ["run-008", "run-006", "run-005", "run-004", "run-002", "run-000"]);
    assert_eq!(next, None);
}

pub async fn an_empty_page_is_the_last(store: Runs) {
    assert_eq!(page(&store, &RunFilter::default(), 5, None).await, (vec![], None));
    fill(&store, [1]).await;
    assert_eq!(page(&store, &RunFilter::default(), 0, None).await, (vec![], None));
}

pub async fn a_foreign_cursor_is_an_error(store: Runs) {
    fill(&store, [1]).await;
    for cursor in ["", "nonsense", "-1:run-001", "12"] {
        let error = store.list(&RunFilter::default(), 5, Some(cursor)).await.unwrap_err();
        assert!(error.to_string().contains("cursor"), "{error}");
    }
}
