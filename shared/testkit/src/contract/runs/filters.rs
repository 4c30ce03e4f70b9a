use heal_runtime::port::{NewRun, RunFilter, RunHead, Subject};
use heal_runtime::{RunOutcome, RunStatus};

use super::Runs;
use crate::contract::sample::{T0, commit, head, new_run};

#[expect(clippy::unnecessary_wraps, reason = "the fields of a filter are optional")]
fn owned(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn run(run_id: &str, seconds: u64, change: impl FnOnce(&mut RunHead)) -> NewRun {
    let mut run = new_run(run_id);
    run.head.started_at = T0.plus_ms(seconds * 1_000);
    change(&mut run.head);
    run
}

fn ended(outcome: RunOutcome) -> impl FnOnce(&mut RunHead) {
    move |head| {
        head.status = outcome.status();
        head.outcome = Some(outcome);
        head.wake_at = None;
    }
}

async fn list(store: &Runs, filter: &RunFilter) -> Vec<String> {
    let page = store.list(filter, 100, None).await.unwrap();
    assert_eq!((page.next, page.unexamined_before), (None, None));
    page.runs.iter().map(|head| head.run_id.to_string()).collect()
}

/// Two runs of each subject, one that is live and one that has ended, so that a store with an index for each finds both.
async fn fill_subjects(store: &Runs) {
    let subject = |letter: &str| Subject {
        ticket_id: Some(format!("ticket-{letter}")),
        workflow_id: Some(format!("workflow-{letter}")),
        worker_id: Some(format!("worker-{letter}")),
        severity: owned(if letter == "a" { "HIGH" } else { "LOW" }),
        escalation_required: letter == "a",
    };
    for (number, letter) in [(1, "a"), (3, "b")] {
        let about = |head: &mut RunHead| {
            head.subject = subject(letter);
            head.incident_id = format!("INC-{letter}");
        };
        store.create(&run(&format!("live-{letter}"), number, about)).await.unwrap();
        let about_ended = |head: &mut RunHead| {
            about(head);
            ended(RunOutcome::Healed)(head);
        };
        store.create(&run(&format!("ended-{letter}"), number + 1, about_ended)).await.unwrap();
    }
    store.create(&run("other", 5, |_| {})).await.unwrap();
}

pub async fn a_subject_is_read_back_with_its_run(store: Runs) {
    fill_subjects(&store).await;
    let page = store.list(&RunFilter::default(), 100, None).await.unwrap();
    for found in page.runs {
        assert_eq!(store.head(&found.run_id).await.unwrap().as_ref(), Some(&found));
        let expected = if found.run_id.as_str() == "other" { None } else { found.run_id.as_str().chars().last() };
        let letter = found.subject.ticket_id.as_deref().and_then(|ticket| ticket.chars().last());
        assert_eq!(letter, expected, "{found:?}");
        assert_eq!(found.subject.escalation_required, letter == Some('a'), "{found:?}");
    }
}

pub async fn a_listing_filters_by_what_the_run_is_about(store: Runs) {
    fill_subjects(&store).await;
    let any = RunFilter::default;
    let filters = [
        RunFilter { incident_id: owned("INC-a"), ..any() },
        RunFilter { ticket_id: owned("ticket-a"), ..any() },
        RunFilter { workflow_id: owned("workflow-a"), ..any() },
        RunFilter { worker_id: owned("worker-a"), ..any() },
        RunFilter { severity: owned("HIGH"), ..any() },
        RunFilter { ticket_id: owned("ticket-a"), worker_id: owned("worker-a"), severity: owned("HIGH"), ..any() },
    ];
    for filter in filters {
        assert_eq!(list(&store, &filter).await, ["ended-a", "live-a"], "{filter:?}");
        let live = RunFilter { status: Some(RunStatus::Running), ..filter.clone() };
        assert_eq!(list(&store, &live).await, ["live-a"], "{live:?}");
        let since = RunFilter { since: Some(T0.plus_ms(2_000)), ..filter.clone() };
        assert_eq!(list(&store, &since).await, ["ended-a"], "{since:?}");
        let page = store.list(&filter, 1, None).await.unwrap();
        assert_eq!(page.runs[0].run_id.as_str(), "ended-a");
        let page = store.list(&filter, 1, page.next.as_deref()).await.unwrap();
        assert_eq!((page.runs[0].run_id.as_str(), page.next), ("live-a", None));
    }
    let both = RunFilter { ticket_id: owned("ticket-a"), worker_id: owned("worker-b"), ..any() };
    assert_eq!(list(&store, &both).await, [] as [&str; 0]);
}

pub async fn a_listing_filters_by_outcome(store: Runs) {
    let outcomes = [RunOutcome::Healed, RunOutcome::Degraded, RunOutcome::Denied, RunOutcome::Failed];
    for outcome in outcomes {
        store.create(&run(outcome.as_str(), 1, ended(outcome))).await.unwrap();
    }
    for outcome in outcomes {
        let filter = RunFilter { outcome: Some(outcome), ..RunFilter::default() };
        assert_eq!(list(&store, &filter).await, [outcome.as_str()]);
        let live = RunFilter { status: Some(RunStatus::Running), ..filter };
        assert_eq!(list(&store, &live).await, [] as [&str; 0]);
    }
}

/// The most urgent first; the newest first among runs of the same urgency.
pub async fn what_needs_a_person_comes_most_urgent_first(store: Runs) {
    let severe = |severity: &str, escalation_required| Subject {
        severity: owned(severity),
        escalation_required,
        ..Subject::default()
    };
    let waits = |subject| {
        move |head: &mut RunHead| {
            head.status = RunStatus::AwaitingApproval;
            head.subject = subject;
        }
    };
    store.create(&run("waits-low", 9, waits(severe("LOW", false)))).await.unwrap();
    store.create(&run("waits-critical", 1, waits(severe("CRITICAL", false)))).await.unwrap();
    store.create(&run("waits-high-escalated", 2, waits(severe("HIGH", true)))).await.unwrap();
    for (number, outcome) in [
        (3, RunOutcome::NotHealed),
        (4, RunOutcome::Failed),
        (5, RunOutcome::Denied),
        (6, RunOutcome::Timeout),
        (7, RunOutcome::Degraded),
    ] {
        let high = |head: &mut RunHead| {
            ended(outcome)(head);
            head.subject = severe("HIGH", false);
        };
        store.create(&run(outcome.as_str(), number, high)).await.unwrap();
    }
    let left_over = |head: &mut RunHead| {
        ended(RunOutcome::Cancelled)(head);
        head.open_follow_ups = 2;
    };
    store.create(&run("cancelled-with-follow-ups", 8, left_over)).await.unwrap();
    store.create(&run("cancelled", 8, ended(RunOutcome::Cancelled))).await.unwrap();
    store.create(&run("healed", 8, ended(RunOutcome::Healed))).await.unwrap();
    store.create(&run("completed", 8, ended(RunOutcome::Completed))).await.unwrap();
    store.create(&run("running", 8, |_| {})).await.unwrap();
    let expected = [
        "waits-critical",
        "waits-high-escalated",
        "DEGRADED",
        "TIMEOUT",
        "DENIED",
        "FAILED",
        "NOT_HEALED",
        "waits-low",
        "cancelled-with-follow-ups",
    ];
    let filter = RunFilter { needs_attention: true, ..RunFilter::default() };
    assert_eq!(list(&store, &filter).await, expected);
    let high = RunFilter { severity: owned("HIGH"), status: Some(RunStatus::Failed), ..filter.clone() };
    assert_eq!(list(&store, &high).await, ["DENIED", "FAILED", "NOT_HEALED"]);
    // Page by page.
    let (mut found, mut cursor) = (Vec::new(), None);
    for _ in 0..expected.len() {
        let page = store.list(&filter, 2, cursor.as_deref()).await.unwrap();
        assert!(page.runs.len() <= 2);
        found.extend(page.runs.into_iter().map(|head| head.run_id.to_string()));
        cursor = page.next;
        if cursor.is_none() {
            break;
        }
    }
    assert_eq!((found.iter().map(String::as_str).collect::<Vec<_>>(), cursor), (expected.to_vec(), None));
}

/// A person ticks off follow-ups after the end.
pub async fn an_ended_run_takes_commits_and_is_listed_once_as_the_newest_says(store: Runs) {
    store.create(&run("run-1", 0, |_| {})).await.unwrap();
    let end = commit("run-1", 2, "end", 1);
    let mut after = RunHead { open_follow_ups: 2, ..head(&end) };
    ended(RunOutcome::Cancelled)(&mut after);
    store.append(&end, &after, None).await.unwrap();
    let attention = RunFilter { needs_attention: true, ..RunFilter::default() };
    for (first_seq, open_follow_ups) in [(3, 1), (4, 0)] {
        assert_eq!(list(&store, &attention).await, ["run-1"]);
        let done = commit("run-1", first_seq, &format!("done-{first_seq}"), 1);
        let mut after = RunHead { open_follow_ups, ..head(&done) };
        ended(RunOutcome::Cancelled)(&mut after);
        store.append(&done, &after, None).await.unwrap();
        let listed = store.list(&RunFilter::default(), 10, None).await.unwrap().runs;
        let [found] = &listed[..] else { panic!("{listed:?}") };
        assert_eq!((found.open_follow_ups, found.last_seq, found.started_at), (open_follow_ups, first_seq, T0));
        assert_eq!(store.head(&done.run_id).await.unwrap().as_ref(), Some(found));
    }
    assert_eq!(list(&store, &attention).await, [] as [&str; 0]);
    assert_eq!(store.load(&end.run_id, 0).await.unwrap().len(), 4);
    assert_eq!(store.count_live().await.unwrap().active, 0);
}
