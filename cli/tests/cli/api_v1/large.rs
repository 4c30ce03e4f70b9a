//! The pages of the largest runs: small enough for a telephone, and what is not well comes first.

use std::fmt::Write as _;

use heal_sandbox::Seed;
use serde_json::json;

use crate::support::{Serve, env, get, http, platform, playbooks, post};

/// Bytes of one page without its files.
const PAGE_BYTES: usize = 100 * 1_024;
const STEPS: usize = 1_000;
const ITEMS: usize = 5_000;

/// A page of the run of `playbook`, once it has ended or `until` holds for it.
async fn page(serve: &Serve, incident: &serde_json::Value, until: impl Fn(&str) -> bool) -> String {
    let url = |path: &str| format!("{}{path}", serve.url);
    let (status, body) = post(&url("/api/v1/incidents"), incident).await;
    assert_eq!(status, 202, "{body}");
    for _ in 0..1_200 {
        let (_, listed) = get(&url("/api/v1/runs")).await;
        if let Some(run) = listed["runs"].get(0) {
            let page = http().get(url(&format!("/runs/{}", run["run_id"].as_str().unwrap()))).send().await.unwrap();
            assert_eq!(page.status(), 200);
            let page = page.text().await.unwrap();
            assert!(page.len() < PAGE_BYTES, "the page has {} bytes: {}", page.len(), &page[..4_000]);
            if until(&page) {
                return page;
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(250)).await;
    }
    panic!("the run does not come so far");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_of_a_thousand_steps_shows_what_went_wrong_first() {
    let mut text = "timeout_seconds: 900\ntriggers: [{incident_type: LARGE}]\nactions:\n".to_owned();
    for number in 0..STEPS - 1 {
        let _ = writeln!(text, "  - {{name: wait-{number}, type: wait, needs: [], parameters: {{seconds: 1}}}}");
    }
    // The last step fails, since no ticket has this id.
    text += "  - {name: sick, type: update_ticket_status, needs: [], on_failure: continue, parameters: {ticket_id: nobody, status: PENDING}}\n";
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("large.yaml", &text)]);
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
    let incident = json!({"incident_id": "inc-1", "incident_type": "LARGE"});
    let page = page(&serve, &incident, |page| page.contains("the run ended")).await;
    assert!(page.contains("of 1000 steps, first those that are not well"), "{page}");
    let (sick, well) = (page.find("id=\"step-sick\""), page.find("id=\"step-wait-0\""));
    assert!(sick.is_some() && (well.is_none() || sick < well), "{sick:?} {well:?}");
    assert!(page.contains("999 succeeded") && page.contains("are in the"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_over_five_thousand_elements_stays_readable_while_it_runs() {
    let text = "timeout_seconds: 900\ntriggers: [{incident_type: MANY}]\nactions:\n  \
        - {name: each, type: check_worker_health, for_each: \"{{ affected_tickets }}\", max_parallel: 10, parameters: {worker_id: \"{{ item }}\"}}\n";
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("many.yaml", text)]);
    let serve = Serve::start(&folder.path().join("state.db"), folder.path(), &env(&platform));
    let tickets: Vec<String> = (0..ITEMS).map(|number| format!("worker-{number}")).collect();
    let incident = json!({"incident_id": "inc-1", "incident_type": "MANY", "affected_tickets": tickets});
    let page = page(&serve, &incident, |page| page.contains("entries are in the")).await;
    assert!(page.contains("id=\"step-each\"") && page.contains("Change this run"), "{page}");
}
