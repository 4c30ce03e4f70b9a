//! What a person does with the console.

use heal_sandbox::Seed;

use crate::browser::{Browser, Site, installed};
use crate::support::{eventually, playbooks, root};

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
