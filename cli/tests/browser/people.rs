//! Two people: one raises an incident, another one approves what a step is about to do.

use std::path::Path;

use heal_sandbox::Seed;

use crate::browser::{Browser, Site, installed};
use crate::support::{heal, path, playbooks};

/// Asks before it deletes a pod.
pub(crate) const CAREFUL: (&str, &str) = (
    "careful.yaml",
    "description: Replace a sick worker's pod once somebody has agreed\n\
     timeout_seconds: 900\n\
     triggers: [{incident_type: WORKER_FAILURE}]\n\
     actions:\n\
     \x20 - {type: check_worker_health, parameters: {worker_id: \"{{ worker_id }}\"}}\n\
     \x20 - type: restart_pod\n\
     \x20   needs: [check_worker_health]\n\
     \x20   approval: {expires_seconds: 600}\n\
     \x20   parameters: {pod_name: \"{{ steps.check_worker_health.pod_name }}\", pod_uid: \"{{ steps.check_worker_health.pod_uid }}\"}\n\
     verify:\n\
     \x20 - {type: check_worker_health, name: worker_is_back, until: \"{{ healthy }}\", within_seconds: 60, every_seconds: 1, parameters: {worker_id: \"{{ worker_id }}\"}}\n",
);

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_is_asked_refused_to_the_requester_and_given_by_a_second_person() {
    if installed().is_none() {
        return;
    }
    let folder = playbooks(&[CAREFUL, ("api.yml", "tokens: tokens.json\n")]);
    std::fs::create_dir(folder.path().join("access")).unwrap();
    let file = folder.path().join("access/api.yaml");
    std::fs::rename(folder.path().join("api.yml"), &file).unwrap();
    let [otto, anna, vera] = tokens(folder.path(), [("otto", "approver"), ("anna", "approver"), ("vera", "viewer")]);
    let access = [("HEAL_API".to_owned(), path(&file).to_owned())];
    let site = Site::start_with(Seed::unhealthy_worker(), folder.path(), &access);
    let browser = Browser::start(false).await;
    browser.width(1_200).await;

    browser.open(&site.url("/runs")).await;
    // Where the way in began is where it ends.
    sign_in(&browser, &otto, "Filter").await;
    browser.sees("token:otto").await;
    browser.open(&site.url("/incidents/new")).await;
    browser.click("form#raise button").await;
    browser.click("td a[href^='/runs/']").await;
    browser.sees("Approve restart_pod").await;
    browser.picture("console-approval").await;
    browser.click("form[data-url$='/approve'] button").await;
    let refused = browser.sees("another person has to approve").await;
    assert!(refused.contains("token:otto"), "{refused}");
    assert!(site.platform.effects().is_empty(), "nothing happens without the approval");
    let run = browser.client.current_url().await.unwrap();

    sign_out(&browser).await;
    sign_in(&browser, &vera, "What needs you").await;
    browser.open(run.as_str()).await;
    browser.click("form[data-url$='/approve'] button").await;
    browser.sees("has the role viewer").await;

    sign_out(&browser).await;
    sign_in(&browser, &anna, "What needs you").await;
    browser.open(&site.url("/")).await;
    browser.sees("careful: restart_pod").await;
    browser.picture("console-now").await;
    browser.open(run.as_str()).await;
    browser.click("form[data-url$='/approve'] button").await;
    let story = browser.sees("the run ended HEALED").await;
    assert!(story.contains("token:anna"), "{story}");
    assert_eq!(site.platform.effects().len(), 1);
    browser.open(run.as_str()).await;
    browser.picture("console-run").await;
}

/// A token of each person with a role, in the file that `access/api.yaml` names.
pub(crate) fn tokens<const N: usize>(folder: &Path, people: [(&str, &str); N]) -> [String; N] {
    let file = folder.join("access/tokens.json");
    people.map(|(name, role)| {
        let created = heal(&["token", "create", name, "--role", role, "--tokens", path(&file)]).exits(0).stdout;
        created.trim().to_owned()
    })
}

/// Signs in, and sees `text` on the page that follows.
pub(crate) async fn sign_in(browser: &Browser, token: &str, text: &str) {
    browser.write("input[name=token]", token).await;
    browser.click("form[action='/login/token'] button").await;
    browser.sees(text).await;
}

pub(crate) async fn sign_out(browser: &Browser) {
    browser.click("form[action='/logout'] button").await;
    browser.sees("Sign in").await;
}
