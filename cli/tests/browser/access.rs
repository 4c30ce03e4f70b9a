//! Every page by the rules of axe-core, small and large, light and dark; and readable without a script.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::browser::{Browser, Site, installed};
use crate::support::{eventually, http, post, root};

/// Bytes of one page without its files.
const PAGE_BYTES: usize = 100 * 1_024;
const PAGES: [&str; 8] = [
    "/",
    "/runs",
    "/incidents/new",
    "/playbooks",
    "/playbooks/worker_failure_recovery",
    "/checks",
    "/guardrails",
    "/dead-letters",
];

/// A home with a run that ended, and what it left.
async fn site() -> (Site, String) {
    let site = Site::start(Seed::unhealthy_worker(), &root().join("playbooks"));
    let incident =
        json!({"incident_id": "inc-1", "incident_type": "WORKER_FAILURE", "severity": "HIGH", "worker_id": "worker-1"});
    post(&site.url("/api/v1/incidents"), &incident).await;
    // A worker that nobody has leaves something to do; a type that no playbook is for is rejected.
    let other = json!({"incident_id": "inc-2", "incident_type": "WORKER_FAILURE", "worker_id": "worker-9"});
    post(&site.url("/api/v1/incidents"), &other).await;
    post(&site.url("/api/v1/incidents"), &json!({"incident_id": "inc-3", "incident_type": "NOBODY"})).await;
    let runs = site.url("/api/v1/runs");
    let mut run_id = None;
    for _ in 0..600 {
        let listed: Value = http().get(&runs).send().await.unwrap().json().await.unwrap();
        let ended: Vec<_> = listed["runs"].as_array().unwrap().iter().filter(|run| !run["outcome"].is_null()).collect();
        if ended.len() == 3 {
            run_id = ended
                .iter()
                .find(|run| run["incident_id"] == "inc-1")
                .map(|run| run["run_id"].as_str().unwrap().to_owned());
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let run_id = eventually("three runs end", || run_id.clone());
    (site, run_id)
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_breaks_a_rule_of_accessibility() {
    let Some(axe) = installed() else { return };
    let (site, run_id) = site().await;
    let run = format!("/runs/{run_id}");
    let mut faults = Vec::new();
    for dark in [false, true] {
        let browser = Browser::start(dark).await;
        for width in [380, 1_600] {
            browser.width(width).await;
            for page in PAGES.into_iter().chain([run.as_str(), "/runs/nobody"]) {
                browser.open(&site.url(page)).await;
                faults.extend(
                    violations(&browser, &axe)
                        .await
                        .into_iter()
                        .map(|it| format!("{page} at {width}, dark {dark}: {it}")),
                );
                let wide = browser.run("return document.documentElement.scrollWidth > window.innerWidth").await;
                if wide == json!(true) {
                    faults.push(format!("{page} at {width}: it has to be scrolled sideways"));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

/// What axe-core finds on the page that is open.
async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    browser.run(axe).await;
    let script = "const done = arguments[arguments.length - 1]; \
                  axe.run().then(found => done(found.violations.map(it => it.id + ': ' + it.nodes.slice(0, 3).map(node => node.html.slice(0, 200)).join(' | '))));";
    let found = browser.client.execute_async(script, Vec::new()).await.unwrap();
    found.as_array().unwrap().iter().map(|it| it.as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_page_is_whole_without_a_script_small_and_loads_nothing_from_elsewhere() {
    let (site, run_id) = site().await;
    let run = format!("/runs/{run_id}");
    for (page, text) in [
        ("/", "What needs you"),
        ("/runs", "worker_failure_recovery"),
        ("/playbooks", "Replace a failed worker"),
        ("/guardrails", "pod_restarts"),
        (run.as_str(), "the run ended HEALED"),
    ] {
        let answer = http().get(site.url(page)).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{page}");
        let body = answer.text().await.unwrap();
        assert!(body.contains(text), "{page} has no {text:?}: {body}");
        assert!(body.len() < PAGE_BYTES, "{page} has {} bytes", body.len());
        assert!(
            !body.contains("src=\"http") && !body.contains("href=\"http") && !body.contains("style=\""),
            "{page}: {body}"
        );
        assert!(!body.contains("<script>") && !body.contains("onclick"), "{page} has a script of its own: {body}");
    }
}
