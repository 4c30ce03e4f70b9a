//! A cluster's description: where its API is and who vouches for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heal_aws::Error;
use heal_aws::eks::{Cluster, ClusterName, describe};
use heal_aws::limit::MAX_DESCRIPTION_BYTES;
use serde_json::{Value, json};

use crate::support::server::{Act, Server, closed, fault, json};
use crate::support::sigv4::{Arrived, signature};
use crate::support::{ACCESS_KEY_ID, REGION, session_at};

const PEM: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";

async fn ask(url: &str) -> Result<Cluster, Error> {
    describe(&session_at(url).await, &ClusterName::parse("prod_1").unwrap()).await
}

async fn ask_one(act: Act) -> Result<Cluster, Error> {
    ask(&Server::start([act]).await.url).await
}

fn described() -> Value {
    json!({"cluster": {
        "name": "prod_1", "status": "ACTIVE", "version": "1.36", "endpoint": "https://abc.gr7.eu-central-1.eks.amazonaws.com",
        "certificateAuthority": {"data": STANDARD.encode(PEM)}, "tags": {}
    }})
}

#[tokio::test]
async fn a_signed_question_brings_endpoint_and_authority() {
    let server = Server::start([json(200, &described())]).await;
    let cluster = ask(&server.url).await.unwrap();
    assert_eq!(cluster.endpoint, "https://abc.gr7.eu-central-1.eks.amazonaws.com");
    assert_eq!(cluster.authority_pem, PEM);

    let seen = &server.seen()[0];
    assert_eq!((seen.method.as_str(), seen.uri.to_string().as_str()), ("GET", "/clusters/prod_1"));
    let time = seen.header("x-amz-date");
    let scope = format!("{}/{REGION}/eks/aws4_request", &time[..8]);
    let headers = ["host", "x-amz-date"].map(|name| (name.to_owned(), seen.header(name).to_owned()));
    let arrived = Arrived { method: "GET", path: "/clusters/prod_1", query: "", signed_headers: &headers, body: b"" };
    assert_eq!(
        seen.header("authorization"),
        format!(
            "AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
            signature(&arrived, time, &scope)
        )
    );
}

#[tokio::test]
async fn a_path_in_the_endpoint_is_kept() {
    let server = Server::start([json(200, &described())]).await;
    ask(&format!("{}/prefix/", server.url)).await.unwrap();
    assert_eq!(server.seen()[0].uri.path(), "/prefix/clusters/prod_1");
}

#[tokio::test]
async fn what_is_refused_is_not_asked_again() {
    for (act, text) in [
        (
            fault(404, "ResourceNotFoundException", "No cluster found for name: prod_1."),
            "EKS cluster prod_1 does not exist: No cluster found for name: prod_1.",
        ),
        (fault(403, "AccessDeniedException", "not you"), "EKS cluster prod_1: access denied: not you"),
        (
            fault(400, "InvalidParameterException", "what?"),
            "EKS cluster prod_1: refused (InvalidParameterException): what?",
        ),
        (
            Act::Reply { status: 418, headers: Vec::new(), body: b"<html>".to_vec() },
            "EKS cluster prod_1: refused (status 418): no message",
        ),
    ] {
        let server = Server::start([act]).await;
        assert_eq!(ask(&server.url).await.unwrap_err().to_string(), text);
        assert_eq!(server.seen().len(), 1, "{text}");
    }
}

#[tokio::test]
async fn what_may_pass_is_asked_once_more() {
    for act in [fault(429, "TooManyRequestsException", "slow"), fault(503, "ServiceUnavailableException", "oh")] {
        let server = Server::start([act.clone(), json(200, &described())]).await;
        ask(&server.url).await.unwrap();
        assert_eq!(server.seen().len(), 2);
        let server = Server::start([act]).await;
        assert!(ask(&server.url).await.unwrap_err().is_transient());
        assert_eq!(server.seen().len(), 2);
    }
    let error = ask(&closed().await).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let there = Server::start([json(200, &described())]).await;
    let headers = vec![("location", format!("{}/clusters/prod_1", there.url))];
    let error = ask_one(Act::Reply { status: 307, headers, body: Vec::new() }).await.unwrap_err();
    assert_eq!(error.to_string(), "EKS cluster prod_1: refused (status 307): no message");
    assert!(there.seen().is_empty());
}

#[tokio::test]
async fn a_flood_is_cut_off() {
    let error = ask_one(Act::Flood(100 * 1024 * 1024)).await.unwrap_err();
    let text = format!("EKS cluster prod_1: the answer has more than {MAX_DESCRIPTION_BYTES} bytes");
    assert_eq!(error.to_string(), text);
}

#[tokio::test]
async fn a_description_that_lacks_something_says_what() {
    let without = |pointer: &str, value: Value| {
        let mut described = described();
        *described.pointer_mut(pointer).unwrap() = value;
        json(200, &described)
    };
    for (act, text) in [
        (without("/cluster/endpoint", Value::Null), "its description lacks endpoint (status ACTIVE)"),
        (without("/cluster/endpoint", json!("")), "its description lacks endpoint (status ACTIVE)"),
        (without("/cluster", json!({"status": "CREATING"})), "its description lacks endpoint (status CREATING)"),
        (
            without("/cluster/certificateAuthority", Value::Null),
            "its description lacks certificateAuthority.data (status ACTIVE)",
        ),
        (without("/cluster/certificateAuthority/data", json!("%")), "certificateAuthority.data is not base64: "),
        (without("/cluster/certificateAuthority/data", json!("/w==")), "certificateAuthority.data is not UTF-8"),
        (without("/cluster", Value::Null), "failed to parse the answer: "),
        (Act::Reply { status: 200, headers: Vec::new(), body: b"<html>".to_vec() }, "failed to parse the answer: "),
    ] {
        let error = ask_one(act).await.unwrap_err();
        assert!(matches!(error, Error::Unusable { .. }), "{error:?}");
        assert!(error.to_string().starts_with(&format!("EKS cluster prod_1: {text}")), "{error}");
    }
}
