//! What a person does with the console.

use heal_sandbox::Seed;
use serde_json::json;

use crate::browser::{Browser, Site, installed};
use crate::support::{eventually, get, playbooks, post, root};

/// Waits, so that there is time to look and to stop it.
const SLOW: (&str, &str) = (
    "slow.yaml",
    "timeout_seconds: 900\ntriggers: [{incident_type: WORKER_FAILURE}]\nactions:\n  - {type: wait, parameters: {seconds: 600}}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_raised_by_form_is_healed_before_the_eyes() {
    if installed().is_none() {
        return;
    }
    let site = Site::start(Seed::unhealthy_worker(), &root().join("playbooks"));
    let browser = Browser::start(false).await;
    browser.open(&site.url("/incidents/new")).await;
    browser.click("form#raise button").await;
    browser.sees("worker_failure_recovery").await;
    eventually("the run ends", || site.platform.effects().first().cloned());
    browser.click("td a[href^='/runs/']").await;
    browser.sees("HEALED").await;
    let states =
        browser.run("return [...document.querySelectorAll('svg .node text.small')].map(it => it.textContent)").await;
    let states: Vec<_> = states.as_array().unwrap().iter().map(|state| state.as_str().unwrap().to_owned()).collect();
    assert_eq!(states, ["✓ succeeded", "✓ succeeded", "· condition false", "✓ succeeded"]);
    let story = browser.sees("the run ended HEALED").await;
    assert!(story.contains("nothing is halted"), "{story}");
    let zone = browser.run("return document.querySelector('time').textContent").await;
    assert!(!zone.as_str().unwrap().ends_with('Z'), "times are in the reader's zone: {zone}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_followed_live_held_released_and_cancelled_and_everything_can_be_halted() {
    if installed().is_none() {
        return;
    }
    let folder = playbooks(&[SLOW]);
    let site = Site::start(Seed::unhealthy_worker(), folder.path());
    let browser = Browser::start(false).await;
    browser.open(&site.url("/incidents/new")).await;
    browser.click("form#raise button").await;
    browser.click("td a[href^='/runs/']").await;
    browser.sees("waiting").await;
    browser.write("form[data-url$='/hold'] input[name=reason]", "let me look").await;
    browser.click("form[data-url$='/hold'] button").await;
    browser.sees("HELD").await;
    browser.write("form[data-url$='/release'] input[name=reason]", "it is fine").await;
    browser.click("form[data-url$='/release'] button").await;
    browser.sees("it is fine").await;
    browser.click("form[data-url$='/cancel'] button").await;
    browser.client.accept_alert().await.unwrap();
    browser.sees("the run ended CANCELLED").await;

    browser.open(&site.url("/")).await;
    browser.write("form[data-url='/api/v1/halts'] input[name=reason]", "a deployment").await;
    browser.click("form[data-url='/api/v1/halts'] button").await;
    browser.client.accept_alert().await.unwrap();
    let banner = browser.sees("Halted: everything").await;
    assert!(banner.contains("a deployment"), "{banner}");
    browser.click("form[data-method=DELETE] button").await;
    browser.client.accept_alert().await.unwrap();
    eventually("the halt has ended", || Some(()));
    browser.open(&site.url("/runs")).await;
    let page = browser.run("return document.body.innerText").await;
    assert!(!page.as_str().unwrap().contains("Halted:"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_incident_would_do_is_shown_without_starting_anything() {
    if installed().is_none() {
        return;
    }
    let site = Site::start(Seed::unhealthy_worker(), &root().join("playbooks"));
    let browser = Browser::start(false).await;
    browser.open(&site.url("/incidents/new")).await;
    browser.click("form[data-show=would] button").await;
    browser.sees("\"worker_failure_recovery\"").await;
    browser.open(&site.url("/runs")).await;
    browser.sees("No run.").await;
    assert!(site.platform.effects().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_writes_a_reason_keeps_it_while_others_change_the_run() {
    if installed().is_none() {
        return;
    }
    let folder = playbooks(&[SLOW]);
    let site = Site::start(Seed::unhealthy_worker(), folder.path());
    post(&site.url("/api/v1/incidents"), &json!({"incident_id": "inc-1", "incident_type": "WORKER_FAILURE"})).await;
    let run_id = until(async || {
        let (_, listed) = get(&site.url("/api/v1/runs")).await;
        listed["runs"][0]["run_id"].as_str().map(ToOwned::to_owned)
    });
    let run_id = run_id.await;
    let browser = Browser::start(true).await;
    browser.open(&site.url(&format!("/runs/{run_id}"))).await;
    browser.run("window.seen = 0; document.body.addEventListener('news', () => window.seen += 1); return 0").await;
    browser.write("form[data-url$='/cancel'] input[name=reason]", "half a sent").await;
    for (number, change) in (1_u64..).zip(["hold", "release", "hold"]) {
        let path = format!("/api/v1/runs/{run_id}/{change}");
        let (status, body) = post(&site.url(&path), &json!({"reason": "another person"})).await;
        assert_eq!(status, 200, "{body}");
        until(async || browser.run("return window.seen").await.as_u64().filter(|seen| *seen >= number)).await;
    }
    let value =
        browser.run("return document.querySelector(\"form[data-url$='/cancel'] input[name=reason]\").value").await;
    assert_eq!(value, "half a sent");
    browser.run("document.activeElement.blur(); return 0").await;
    browser.sees("HELD").await;
}

/// Waits until `poll` returns a value.
async fn until<T>(mut poll: impl AsyncFnMut() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = poll().await {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("nothing came within 30 s");
}
