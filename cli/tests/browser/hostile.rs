//! Texts from outside: whatever an incident says is shown, and nothing of it is executed.

use heal_sandbox::Seed;
use serde_json::{Value, json};

use crate::browser::{Browser, Site, installed};
use crate::support::{http, playbooks, post};

/// Tries of a text to become a part of the page.
const TRIES: [&str; 5] = [
    "<script>window.hit=1</script>",
    "\"><img src=x onerror=\"window.hit=1\">",
    "' onmouseover='window.hit=1' x='",
    "javascript:window.hit=1",
    "</textarea></pre></svg><svg onload=window.hit=1>",
];
const ECHO: (&str, &str) = (
    "echo.yaml",
    "description: \"<b onclick='window.hit=1'>bold</b>\"\n\
     approval: {expires_seconds: 600}\n\
     triggers: [{incident_type: ECHO}]\n\
     actions:\n  - {type: update_ticket_status, parameters: {ticket_id: \"{{ ticket_id }}\", status: failed, error_message: \"{{ note }}\"}}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn no_text_from_outside_is_executed_on_any_page() {
    if installed().is_none() {
        return;
    }
    let folder = playbooks(&[ECHO]);
    let site = Site::start(Seed::healthy_worker(), folder.path());
    for (index, text) in TRIES.into_iter().enumerate() {
        let incident = json!({"incident_id": format!("{text}{index}"), "incident_type": "ECHO", "severity": text, "ticket_id": text,
            "worker_id": text, "workflow_id": text, "note": text, "details": [text]});
        let (status, body) = post(&site.url("/api/v1/incidents"), &incident).await;
        assert_eq!(status, 202, "{body}");
        post(&site.url("/api/v1/incidents"), &json!({"incident_id": format!("r{text}{index}"), "incident_type": text}))
            .await;
        let halt = json!({"scope": "target", "name": text, "for_seconds": 3_600, "reason": text});
        let (status, body) = post(&site.url("/api/v1/halts"), &halt).await;
        assert_eq!(status, 201, "{body}");
    }
    let runs = runs(&site).await;
    let browser = Browser::start(false).await;
    let pages = [
        "/",
        "/runs",
        "/runs?incident=%3Cscript%3Ewindow.hit%3D1%3C%2Fscript%3E",
        "/playbooks/echo",
        "/playbooks/%3Cscript%3E",
        "/guardrails",
    ];
    for page in pages.iter().map(|page| (*page).to_owned()).chain(runs.iter().map(|run| format!("/runs/{run}"))) {
        browser.open(&site.url(&page)).await;
        browser.run("document.querySelectorAll('*').forEach(it => it.dispatchEvent(new Event('mouseover')))").await;
        let hit = browser.run("return window.hit === undefined").await;
        assert_eq!(hit, json!(true), "{page} executed a text");
        let own = browser
            .run("return document.querySelectorAll('main img, main script, main b[onclick], svg[onload]').length")
            .await;
        assert_eq!(own, json!(0), "{page} has an element from outside");
    }
}

async fn runs(site: &Site) -> Vec<String> {
    for _ in 0..600 {
        let listed: Value = http().get(site.url("/api/v1/runs")).send().await.unwrap().json().await.unwrap();
        let runs: Vec<_> =
            listed["runs"].as_array().unwrap().iter().map(|run| run["run_id"].as_str().unwrap().to_owned()).collect();
        if runs.len() == 2 * TRIES.len() {
            return runs;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("not every incident became a run");
}
