//! A link of a notification: it leads who signs in to the question, approves nothing by itself, serves once, and says what to do when it is dead.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use heal_engine::{Digest, Timestamp};
use heal_notify::Links;
use heal_notify::link::Ticket;
use heal_sandbox::Seed;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::browser::{Browser, Site, installed};
use crate::people::{CAREFUL, sign_in, sign_out, tokens};
use crate::support::{get, http, path, playbooks};

/// Every link of the notifications is under it; the tests put the site's own address there.
const PUBLIC: &str = "http://heal.test";
const KEY: &str = "0123456789abcdef0123456789abcdef";
const NOTIFY: &str =
    "channels: {chat: {type: slack, url: \"env:CHAT_URL\"}}\nroutes: [{to: chat, events: [approval_requested]}]\n";

/// Asks two people before it begins.
const TWICE: (&str, &str) = (
    "twice.yaml",
    "timeout_seconds: 900\napproval: {min: 2}\ntriggers: [{incident_type: BOTH}]\nactions:\n  - {type: wait, parameters: {seconds: 1}}\n",
);

/// A chat that keeps the messages.
#[derive(Clone, Default)]
struct Chat {
    messages: Arc<Mutex<Vec<Value>>>,
    url: String,
}

impl Chat {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let chat = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let take = async |State(chat): State<Self>, body: String| {
            chat.messages.lock().unwrap().push(serde_json::from_str(&body).unwrap());
            StatusCode::OK
        };
        let router = Router::new().fallback(take).with_state(chat.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        chat
    }

    /// The path of the button of message number `index`, once it is there.
    async fn link(&self, index: usize) -> String {
        for _ in 0..600 {
            if let Some(message) = self.messages.lock().unwrap().get(index) {
                let blocks = message["blocks"].as_array().unwrap();
                let button = &blocks.iter().find(|block| block["type"] == "actions").unwrap()["elements"][0];
                assert_eq!(button["text"]["text"], "Review and decide");
                return button["url"].as_str().unwrap().strip_prefix(PUBLIC).unwrap().to_owned();
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("nobody was told");
    }
}

struct Home {
    site: Site,
    chat: Chat,
    _folder: TempDir,
}

/// A home that these people have tokens for.
async fn home<const N: usize>(people: [(&str, &str); N]) -> (Home, [String; N]) {
    let chat = Chat::start().await;
    let folder = playbooks(&[CAREFUL, TWICE, ("notify.yaml", NOTIFY), ("api.yml", "tokens: tokens.json\n")]);
    std::fs::create_dir(folder.path().join("access")).unwrap();
    let file = folder.path().join("access/api.yaml");
    std::fs::rename(folder.path().join("api.yml"), &file).unwrap();
    let tokens = tokens(folder.path(), people);
    let variables = [
        ("HEAL_API", path(&file)),
        ("HEAL_PUBLIC_URL", PUBLIC),
        ("HEAL_LINK_KEY", KEY),
        ("CHAT_URL", chat.url.as_str()),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let site = Site::start_with(Seed::unhealthy_worker(), folder.path(), &variables);
    (Home { site, chat, _folder: folder }, tokens)
}

impl Home {
    /// Raises an incident as the owner of `token`, whose run asks.
    async fn raise(&self, token: &str, kind: &str) {
        let incident = json!({"incident_id": "inc-1", "incident_type": kind, "worker_id": "worker-1"});
        let request = http().post(self.site.url("/api/v1/incidents")).bearer_auth(token).json(&incident);
        assert_eq!(request.send().await.unwrap().status(), 202);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_from_a_chat_to_the_question_and_a_second_person_decides_there_once() {
    if installed().is_none() {
        return;
    }
    let people = [("otto", "approver"), ("anna", "approver"), ("vera", "viewer")];
    let (home, [otto, anna, vera]) = home(people).await;
    home.raise(&otto, "WORKER_FAILURE").await;
    let link = home.site.url(&home.chat.link(0).await);
    let (status, _) = get(&link).await;
    assert_eq!(status, 401, "a link lets nobody in");

    let browser = Browser::start(true).await;
    browser.width(380).await;
    follow(&browser, &link).await;
    sign_in(&browser, &vera, "Approve restart_pod of careful?").await;
    let page = browser.sees("with the role viewer; this needs an approver").await;
    assert!(page.contains("\"pod_name\""), "what is asked is shown: {page}");
    let buttons = browser.run("return document.querySelectorAll('main form').length").await;
    assert_eq!(buttons, json!(0));

    sign_out(&browser).await;
    follow(&browser, &link).await;
    sign_in(&browser, &otto, "another person has to approve").await;
    assert!(home.site.platform.effects().is_empty(), "nothing happens without the approval");

    sign_out(&browser).await;
    sign_in(&browser, &anna, "What needs you").await;
    // She has signed in, and comes from the chat: no second time.
    follow(&browser, &link).await;
    browser.sees("Approve restart_pod of careful?").await;
    let wide = browser.run("return document.documentElement.scrollWidth > window.innerWidth").await;
    assert_eq!(wide, json!(false), "a telephone is wide enough");
    browser.click("form[data-url$='/approve'] button").await;
    let story = browser.sees("the run ended HEALED").await;
    assert!(story.contains("token:anna"), "{story}");
    assert_eq!(home.site.platform.effects().len(), 1);
    follow(&browser, &link).await;
    browser.sees("Nothing is left to decide").await;
}

/// By HTTP: what a browser shows of these is the same page.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_changed_used_or_of_another_run_decides_nothing_and_says_what_to_do() {
    let (home, [otto, anna]) = home([("otto", "operator"), ("anna", "approver")]).await;
    home.raise(&otto, "WORKER_FAILURE").await;
    let link = home.chat.link(0).await;
    let page = async |path: &str| {
        let answer = http().get(home.site.url(path)).bearer_auth(&anna).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let (address, token) = link.split_once("?token=").unwrap();
    let run_id = address.split('/').nth(2).unwrap();
    for path in [address.to_owned(), format!("{link}A"), link.replace(run_id, "run-other")] {
        let (status, body) = page(&path).await;
        assert_eq!(status, 404, "{path}");
        assert!(body.contains("This link does not work") && body.contains("Nothing was approved"), "{body}");
    }
    let (status, body) = page(&link).await;
    assert_eq!(status, 200, "{body}");
    let links = Links::new(PUBLIC, Some(KEY.as_bytes())).unwrap();
    let ticket = links.read(token, Timestamp(0)).unwrap();
    let expired = Ticket { until: Timestamp(1), ..ticket.clone() };
    let changed = Ticket { digest: Digest::of(b"other parameters"), ..ticket };
    for (ticket, expected, title) in
        [(expired, 410, "This link has expired"), (changed, 409, "The question has changed")]
    {
        let link = links.approval(&ticket).unwrap();
        let (status, body) = page(link.strip_prefix(PUBLIC).unwrap()).await;
        assert_eq!(status, expected, "{body}");
        assert!(body.contains(title) && body.contains("Nothing was approved") && body.contains("/runs/"), "{body}");
    }

    let (_, open) = answer_of(&home, &anna, "GET", "/api/v1/approvals", None).await;
    let approval = &open["approvals"][0];
    let decide = |digest: &str, link: &str| json!({"digest": digest, "step": approval["step"], "link": link});
    let digest = approval["digest"].as_str().unwrap();
    let other = format!("sha256:{}", "0".repeat(64));
    let approve = format!("/api/v1/runs/{run_id}/approve");
    let (status, body) = answer_of(&home, &anna, "POST", &approve, Some(decide(&other, token))).await;
    assert_eq!(status, 422, "the link is for what was asked: {body}");
    let (status, body) = answer_of(&home, &anna, "POST", &approve, Some(decide(digest, "x.y"))).await;
    assert_eq!(status, 404, "{body}");
    let (status, body) = answer_of(&home, &otto, "POST", &approve, Some(decide(digest, token))).await;
    assert_eq!(status, 403, "{body}");
    assert!(home.site.platform.effects().is_empty());
    let (status, body) = answer_of(&home, &anna, "POST", &approve, Some(decide(digest, token))).await;
    assert_eq!(status, 200, "whom the role stopped used nothing up: {body}");
    let (status, body) = answer_of(&home, &anna, "POST", &approve, Some(decide(digest, token))).await;
    assert_eq!(status, 409, "{body}");
    let (status, body) = page(&link).await;
    assert_eq!(status, 410);
    assert!(body.contains("Nothing is left to decide") && body.contains(&format!("/runs/{run_id}")), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_serves_one_of_the_two_people_who_are_asked_and_sends_the_other_to_the_run() {
    let (home, [otto, anna, bert]) = home([("otto", "operator"), ("anna", "approver"), ("bert", "approver")]).await;
    home.raise(&otto, "BOTH").await;
    let link = home.chat.link(0).await;
    let (address, token) = link.split_once("?token=").unwrap();
    let run_id = address.strip_prefix("/approvals/").unwrap();
    let (_, open) = answer_of(&home, &anna, "GET", "/api/v1/approvals", None).await;
    let digest = &open["approvals"][0]["digest"];
    let approve = format!("/api/v1/runs/{run_id}/approve");
    let by_link = json!({"digest": digest, "link": token});
    let (status, body) = answer_of(&home, &anna, "POST", &approve, Some(by_link.clone())).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "{body}");
    let page = http().get(home.site.url(&link)).bearer_auth(&bert).send().await.unwrap();
    assert_eq!(page.status(), 410);
    let page = page.text().await.unwrap();
    assert!(page.contains("Somebody has used this link") && page.contains(&format!("/runs/{run_id}")), "{page}");
    let (status, body) = answer_of(&home, &bert, "POST", &approve, Some(by_link)).await;
    assert_eq!(status, 409, "{body}");
    let (status, body) = answer_of(&home, &bert, "POST", &approve, Some(json!({"digest": digest}))).await;
    assert_eq!((status, &body["changed"]), (200, &json!(true)), "on the run's page he can: {body}");
}

/// As a chat's page does it.
async fn follow(browser: &Browser, link: &str) {
    browser.open(&format!("data:text/html,<a href='{link}'>Review and decide</a>")).await;
    browser.click("a").await;
}

async fn answer_of(home: &Home, token: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let request = http().request(method.parse().unwrap(), home.site.url(path)).bearer_auth(token);
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    crate::support::answer(request.send().await.unwrap()).await
}
