//! What each kind of channel is sent, over a real socket.

use std::sync::Arc;
use std::time::Duration;

use heal_engine::notice::{Channel, ChannelKind, Notice, NoticeEvent};
use heal_notify::SendError;
use heal_notify::channel::webhook::{SIGNATURE_HEADER, TIMESTAMP_HEADER, sign};
use serde_json::json;

use crate::server::{Answer, Server};
use crate::smtp::Smtp;
use crate::support::{NOW, SECRET, Topic, asked, channel, courier, settled};

const LINK: &str = "https://heal.example.org/approvals/run-1/restart?token=";

async fn send(server: &Server, channel: &Channel, notice: &Notice) -> Result<(), SendError> {
    courier(&format!("{}/hook", server.url)).send(channel, notice, NOW).await
}

#[tokio::test]
async fn slack_gets_blocks_with_a_button_and_no_text_becomes_markup() {
    let server = Server::start().await;
    send(&server, &channel(ChannelKind::Slack, &[("url", "env:URL")]), &asked()).await.unwrap();
    let got = server.only();
    assert_eq!(got.path, "/hook");
    let message = got.json();
    let kinds: Vec<_> = message["blocks"].as_array().unwrap().iter().map(|block| block["type"].clone()).collect();
    assert_eq!(kinds, ["header", "section", "section", "actions"]);
    assert!(message["blocks"][3]["elements"][0]["url"].as_str().unwrap().starts_with(LINK));
    assert_eq!(message["blocks"][3]["elements"][0]["text"]["text"], "Review and decide");
    assert!(message["blocks"][1]["text"]["text"].as_str().unwrap().contains("&lt;script&gt;"));
    assert!(message["text"].as_str().unwrap().contains("&lt;!channel&gt;"));
    assert!(!got.body.contains("<script>") && !got.body.contains(SECRET));
}

#[tokio::test]
async fn slack_texts_keep_to_its_limits() {
    let server = Server::start().await;
    let long = "<&>".repeat(5_000);
    let mut notice = Notice { title: long.clone(), detail: long.clone(), ..asked() };
    notice.facts = (0..16).map(|number| (format!("fact {number}"), long.clone())).collect();
    send(&server, &channel(ChannelKind::Slack, &[("url", "env:URL")]), &notice).await.unwrap();
    let message = server.only().json();
    let length = |value: &serde_json::Value| value.as_str().unwrap().chars().count();
    for block in message["blocks"].as_array().unwrap() {
        match block["type"].as_str().unwrap() {
            "header" => assert!(length(&block["text"]["text"]) <= 150),
            "section" => {
                assert!(block["text"]["text"].is_null() || length(&block["text"]["text"]) <= 3_000);
                let fields = block["fields"].as_array().cloned().unwrap_or_default();
                assert!(fields.len() <= 10 && fields.iter().all(|field| length(&field["text"]) <= 2_000));
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn teams_gets_a_card_of_escaped_texts() {
    let server = Server::start().await;
    send(&server, &channel(ChannelKind::Teams, &[("url", "env:URL")]), &asked()).await.unwrap();
    let message = server.only().json();
    let attachment = &message["attachments"][0];
    assert_eq!(attachment["contentType"], "application/vnd.microsoft.card.adaptive");
    let card = &attachment["content"];
    assert!(card["body"][1]["text"].as_str().unwrap().starts_with("\\[click\\]\\(https://evil.example\\)"));
    assert_eq!(card["actions"][0]["type"], "Action.OpenUrl");
    assert!(card["actions"][0]["url"].as_str().unwrap().starts_with(LINK));
    let mut long = asked();
    long.detail = "<".repeat(20_000);
    long.facts = (0..16).map(|number| (format!("fact {number}"), "<".repeat(1_024))).collect();
    send(&server, &channel(ChannelKind::Teams, &[("url", "env:URL")]), &long).await.unwrap();
    assert!(server.got()[1].body.len() < 28 * 1_024 + 16 * 1_024, "{}", server.got()[1].body.len());
}

#[tokio::test]
async fn pagerduty_opens_acknowledges_and_resolves_one_alert_by_its_key() {
    let server = Server::start().await;
    let url = format!("{}/v2/enqueue", server.url);
    let pager = channel(ChannelKind::Pagerduty, &[("routing_key", "env:KEY"), ("url", &url)]);
    let decided = Notice { event: NoticeEvent::ApprovalDecided, asked: None, ..asked() };
    for notice in [asked(), decided, settled()] {
        send(&server, &pager, &notice).await.unwrap();
    }
    let events: Vec<_> = server.got().iter().map(crate::server::Got::json).collect();
    let actions: Vec<_> = events.iter().map(|event| event["event_action"].clone()).collect();
    assert_eq!(actions, ["trigger", "acknowledge", "resolve"]);
    assert!(events.iter().all(|event| event["dedup_key"] == "heal/run-1" && event["routing_key"] == SECRET));
    let payload = &events[0]["payload"];
    assert_eq!((&payload["severity"], &payload["class"]), (&json!("critical"), &json!("approval_requested")));
    assert_eq!(payload["custom_details"]["follow-up"], "a\nb");
    assert!(events[0]["links"][0]["href"].as_str().unwrap().starts_with(LINK));
}

#[tokio::test]
async fn opsgenie_creates_acknowledges_and_closes_one_alert_by_its_alias() {
    let server = Server::start().await;
    let desk = channel(ChannelKind::Opsgenie, &[("api_key", "env:KEY"), ("url", &server.url)]);
    let decided = Notice { event: NoticeEvent::ApprovalDecided, asked: None, ..asked() };
    for notice in [asked(), decided, settled()] {
        send(&server, &desk, &notice).await.unwrap();
    }
    let got = server.got();
    let paths: Vec<_> = got.iter().map(|got| got.path.as_str()).collect();
    let by_alias = |verb: &str| format!("/v2/alerts/heal%2Frun-1/{verb}?identifierType=alias");
    assert_eq!(paths, ["/v2/alerts", &by_alias("acknowledge"), &by_alias("close")]);
    assert!(got.iter().all(|got| got.header("authorization") == format!("GenieKey {SECRET}")));
    let alert = got[0].json();
    assert_eq!((&alert["alias"], &alert["priority"]), (&json!("heal/run-1"), &json!("P1")));
    assert!(alert["message"].as_str().unwrap().chars().count() <= 130);
}

#[tokio::test]
async fn a_webhook_gets_a_signed_cloud_event() {
    let server = Server::start().await;
    let url = format!("{}/events", server.url);
    let hook = channel(ChannelKind::Webhook, &[("url", &url), ("secret", "env:KEY")]);
    send(&server, &hook, &asked()).await.unwrap();
    let got = server.only();
    let (timestamp, signature) = sign(SECRET.as_bytes(), NOW, &got.body);
    assert_eq!(got.header(TIMESTAMP_HEADER), timestamp);
    assert_eq!(got.header(SIGNATURE_HEADER), signature);
    assert!(got.header("content-type").starts_with("application/cloudevents+json"));
    let event = got.json();
    assert_eq!((&event["specversion"], &event["id"]), (&json!("1.0"), &json!("run-1:4:approval_requested")));
    assert_eq!((&event["type"], &event["subject"]), (&json!("heal.approval_requested"), &json!("run-1")));
    assert_eq!(event["data"]["severity"], "CRITICAL");
    assert!(event["data"]["link"].as_str().unwrap().starts_with(LINK));
    send(&server, &channel(ChannelKind::Webhook, &[("url", &url)]), &asked()).await.unwrap();
    assert_eq!(server.got()[1].header(SIGNATURE_HEADER), "");
}

#[tokio::test]
async fn a_signature_is_that_of_any_other_implementation() {
    // printf '1700000000.{}' | openssl dgst -sha256 -hmac s3cr3t-value
    let (timestamp, signature) = sign(b"s3cr3t-value", NOW, "{}");
    assert_eq!(timestamp, "1700000000");
    assert_eq!(signature, SIGNED);
}

/// As `openssl` computes it.
const SIGNED: &str = "sha256=1f16711df8da38e93755213c6fc1ce9ee29b7f514c23ef4e9f1433009d8e38db";

#[tokio::test]
async fn a_mail_has_text_and_html_and_the_same_id_when_it_is_sent_again() {
    let smtp = Smtp::start("250 taken").await;
    let server = format!("smtp+plain://{}", smtp.address);
    let mail = channel(
        ChannelKind::Email,
        &[("server", &server), ("from", "Heal <heal@example.org>"), ("to", "a@example.org, B <b@example.org>")],
    );
    let courier = courier("unused");
    courier.send(&mail, &asked(), NOW).await.unwrap();
    courier.send(&mail, &asked(), NOW).await.unwrap();
    let mails = smtp.mails();
    assert_eq!(mails.len(), 2);
    let id = |mail: &String| mail.lines().find(|line| line.starts_with("Message-ID:")).unwrap().to_owned();
    assert_eq!(id(&mails[0]), id(&mails[1]));
    assert!(mails[0].contains("multipart/alternative") && mails[0].contains("text/html"), "{}", mails[0]);
    assert!(mails[0].contains("To: a@example.org"), "{}", mails[0]);
    // Without the soft line ends of quoted-printable.
    let text = mails[0].replace("=\n", "");
    assert!(text.contains("<p>[click](https://evil.example) &lt;script&gt;"), "{text}");
}

#[tokio::test]
async fn a_mail_server_that_refuses_for_good_is_not_asked_again() {
    for (answer, is_refused) in [("550 no such mailbox", true), ("451 try later", false)] {
        let smtp = Smtp::start(answer).await;
        let server = format!("smtp+plain://{}", smtp.address);
        let settings = [("server", server.as_str()), ("from", "h@example.org"), ("to", "a@example.org")];
        let error = courier("unused").send(&channel(ChannelKind::Email, &settings), &asked(), NOW).await.unwrap_err();
        assert_eq!(matches!(error, SendError::Refused { .. }), is_refused, "{error}");
    }
}

#[tokio::test]
async fn a_topic_gets_a_subject_of_ascii_and_the_text() {
    let topic = Arc::new(Topic::default());
    let mut courier = courier("unused");
    let channel = channel(ChannelKind::Sns, &[("topic", "arn:aws:sns:eu-central-1:1:heal")]);
    assert!(matches!(courier.send(&channel, &asked(), NOW).await, Err(SendError::Refused { .. })));
    courier.publisher = Some(topic.clone());
    courier.send(&channel, &asked(), NOW).await.unwrap();
    let published = topic.0.lock().unwrap().clone();
    assert!(published[0].1.is_ascii() && published[0].1.starts_with("Step `restart` waits for approval - "));
    assert!(published[0].2.contains(LINK) && published[0].2.contains("severity: CRITICAL"));
}

#[tokio::test]
async fn an_answer_says_whether_to_try_again_and_when() {
    let server = Server::start().await;
    let hook = channel(ChannelKind::Slack, &[("url", "env:URL")]);
    let limited = Answer { retry_after: Some(7), ..Answer::of(429) };
    let forever = Answer { retry_after: Some(1_000_000), ..Answer::of(503) };
    server.answer([limited, forever, Answer::of(500), Answer { body: "no_service".repeat(9_000), ..Answer::of(404) }]);
    let waits = [Some(Duration::from_secs(7)), Some(Duration::from_mins(15)), None];
    for expected in waits {
        match send(&server, &hook, &asked()).await {
            Err(SendError::Unavailable { retry_after, .. }) => assert_eq!(retry_after, expected),
            other => panic!("{other:?}"),
        }
    }
    let refused = send(&server, &hook, &asked()).await.unwrap_err();
    assert!(matches!(refused, SendError::Refused { .. }), "{refused}");
    assert!(refused.to_string().starts_with("answered 404 Not Found: no_service") && refused.to_string().len() < 2_200);
}

#[tokio::test]
async fn no_error_repeats_a_secret() {
    let hook = channel(ChannelKind::Slack, &[("url", "env:URL")]);
    let url = "http://127.0.0.1:1/services/T0/B0/s3cr3t-value";
    let error = courier(url).send(&hook, &asked(), NOW).await.unwrap_err();
    assert!(matches!(error, SendError::Unavailable { .. }) && !format!("{error:?}").contains(SECRET), "{error:?}");
    let error = courier(SECRET).send(&hook, &asked(), NOW).await.unwrap_err();
    assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
    let unset = channel(ChannelKind::Slack, &[("url", "env:NONE")]);
    let error = courier(url).send(&unset, &asked(), NOW).await.unwrap_err().to_string();
    assert_eq!(error, "failed to read the secret env:NONE: the variable is not set");
}
