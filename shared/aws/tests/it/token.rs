//! Tokens for EKS: the request inside, its signature, and how long one is used.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_aws::eks::{ClusterName, Token, Tokens};
use heal_aws::limit::TOKEN_LIFE;
use heal_aws::{Keys, Session};
use url::Url;

use crate::support::server::{Act, Server};
use crate::support::sigv4::{Arrived, signature};
use crate::support::{ACCESS_KEY_ID, Hand, keys, session, session_at};

const CLUSTER: &str = "prod-1";
/// 2026-11-23T20:15:30Z.
const NOW: u64 = 1_795_464_930;
const TIME: &str = "20261123T201530Z";
const SCOPE: &str = "20261123/eu-central-1/sts/aws4_request";

fn tokens(session: &Session, hand: &Hand) -> Tokens {
    Tokens::new(session, ClusterName::parse(CLUSTER).unwrap(), Arc::new(hand.clone()))
}

/// The URL that the token is made of.
fn url(token: &Token) -> Url {
    let encoded = token.secret.strip_prefix("k8s-aws-v1.").unwrap();
    assert!(!encoded.contains(['=', '+', '/']), "base64url without padding: {encoded}");
    String::from_utf8(URL_SAFE_NO_PAD.decode(encoded).unwrap()).unwrap().parse().unwrap()
}

fn parameters(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The signature that the URL has to have, as STS would make it.
fn expected_signature(url: &Url, host: &str) -> String {
    let raw = url.query().unwrap();
    let unsigned: Vec<&str> = raw.split('&').filter(|pair| !pair.starts_with("X-Amz-Signature=")).collect();
    let arrived = Arrived {
        method: "GET",
        path: url.path(),
        query: &unsigned.join("&"),
        signed_headers: &[("host".to_owned(), host.to_owned()), ("x-k8s-aws-id".to_owned(), CLUSTER.to_owned())],
        body: b"",
    };
    signature(&arrived, TIME, SCOPE)
}

#[tokio::test]
async fn a_token_is_a_signed_question_to_sts_bound_to_the_cluster() {
    let session = session(None, keys()).await;
    let token = tokens(&session, &Hand::at(NOW)).token().await.unwrap();
    let url = url(&token);
    assert_eq!((url.scheme(), url.host_str(), url.path()), ("https", Some("sts.eu-central-1.amazonaws.com"), "/"));
    assert_eq!(url.port(), None);
    let mut parameters = parameters(&url);
    let found = parameters.remove("X-Amz-Signature").unwrap();
    let all = [
        ("Action", "GetCallerIdentity"),
        ("Version", "2011-06-15"),
        ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
        ("X-Amz-Credential", "AKIDEXAMPLE/20261123/eu-central-1/sts/aws4_request"),
        ("X-Amz-Date", TIME),
        ("X-Amz-Expires", "60"),
        ("X-Amz-SignedHeaders", "host;x-k8s-aws-id"),
    ];
    assert_eq!(parameters, all.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
    assert_eq!(found, expected_signature(&url, "sts.eu-central-1.amazonaws.com"));
    // The same request, presigned by botocore 1.43.
    assert_eq!(found, BOTOCORE);
}

const BOTOCORE: &str = "c2255fc832bd51cd69230b61e915bc91d530c9760ef950365122e72035e71978";

#[tokio::test]
async fn temporary_credentials_bring_their_session_token_into_the_signature() {
    let keys = Keys { session_token: Some("FwoG+Zy/x==".to_owned()), ..keys() };
    let session = session(None, keys).await;
    let url = url(&tokens(&session, &Hand::at(NOW)).token().await.unwrap());
    let parameters = parameters(&url);
    assert_eq!(parameters["X-Amz-Security-Token"], "FwoG+Zy/x==");
    assert!(url.query().unwrap().contains("FwoG%2BZy%2Fx%3D%3D"), "{url}");
    assert_eq!(parameters["X-Amz-Signature"], expected_signature(&url, "sts.eu-central-1.amazonaws.com"));
}

#[tokio::test]
async fn a_named_endpoint_is_where_the_token_leads_and_what_it_is_signed_for() {
    let server = Server::start([Act::Reply { status: 200, headers: Vec::new(), body: b"{}".to_vec() }]).await;
    let session = session_at(&server.url).await;
    let url = url(&tokens(&session, &Hand::at(NOW)).token().await.unwrap());
    // As the cluster does it: the URL as it is, and its own name in the header.
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    client.get(url.clone()).header("x-k8s-aws-id", CLUSTER).send().await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-k8s-aws-id"), CLUSTER);
    assert_eq!(seen.uri.query(), url.query(), "nothing is encoded anew on the way");
    let host = seen.header("host");
    assert_eq!(format!("http://{host}"), server.url);
    assert_eq!(parameters(&url)["X-Amz-Signature"], expected_signature(&url, host));
}

#[tokio::test]
async fn a_token_is_used_for_ten_minutes_and_then_renewed() {
    let hand = Hand::at(NOW);
    let session = session(None, keys()).await;
    let tokens = tokens(&session, &hand);
    let first = tokens.token().await.unwrap();
    assert_eq!(TOKEN_LIFE, Duration::from_mins(10));
    assert_eq!(first.expires_at, hand.time() + TOKEN_LIFE);
    hand.advance(TOKEN_LIFE.saturating_sub(Duration::from_millis(1)));
    assert_eq!(tokens.token().await.unwrap(), first);
    hand.advance(Duration::from_millis(1));
    let second = tokens.token().await.unwrap();
    assert_eq!(parameters(&url(&second))["X-Amz-Date"], "20261123T202530Z");
    assert_eq!(second.expires_at, hand.time() + TOKEN_LIFE);
}

#[tokio::test]
async fn a_token_ends_with_the_credentials_that_signed_it() {
    let hand = Hand::at(NOW);
    let end = hand.time() + Duration::from_mins(3);
    let session = session(None, Keys { expires_at: Some(end), ..keys() }).await;
    assert_eq!(tokens(&session, &hand).token().await.unwrap().expires_at, end);
}

#[tokio::test]
async fn a_token_is_not_in_a_debug_form() {
    let session = session(None, keys()).await;
    let tokens = tokens(&session, &Hand::at(NOW));
    let token = tokens.token().await.unwrap();
    let secret = token.secret.trim_start_matches("k8s-aws-v1.");
    for text in [format!("{token:?}"), format!("{tokens:?}"), format!("{session:?}")] {
        assert!(!text.contains(secret) && !text.contains(ACCESS_KEY_ID), "{text}");
    }
}
