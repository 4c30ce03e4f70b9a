//! What the environment decides, in processes that have one of their own.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;

use aws::eks::{ClusterName, Tokens, describe};
use aws::{Error, Session, secrets};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use runtime::port::SystemClock;
use serde_json::json;

use crate::support::server::{Server, closed, json};

/// Runs one of the tests below that are not run on their own, in that environment and no other.
async fn run(test: &str, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("environment::{test}"), "--ignored", "--nocapture"]).env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

fn passed(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_who_calls_and_where_and_has_no_say_through_a_proxy() {
    let answer = json!({
        "SecretString": "s",
        "cluster": {"endpoint": "https://k", "certificateAuthority": {"data": STANDARD.encode("pem")}}
    });
    let (all, eks) = (Server::start([json(200, &answer)]).await, Server::start([json(200, &answer)]).await);
    let dead = closed().await;
    let mut env = BTreeMap::from([
        ("AWS_REGION", "ap-south-1"),
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_SECRET_ACCESS_KEY", "env"),
        ("AWS_SESSION_TOKEN", "sesame"),
        ("AWS_ENDPOINT_URL", &all.url),
        ("AWS_ENDPOINT_URL_EKS", &eks.url),
        ("AWS_ENDPOINT_URL_STS", "https://sts.example"),
    ]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
        env.insert(name, &dead);
    }
    let env: Vec<_> = env.into_iter().collect();
    passed(&run("child_makes_every_call", &env).await);
    let calls = [all.seen(), eks.seen()].concat();
    let targets: Vec<_> = calls.iter().map(|seen| seen.uri.path()).collect();
    assert_eq!(targets, ["/", "/clusters/prod"]);
    for seen in calls {
        let authorization = seen.header("authorization");
        assert!(authorization.contains("Credential=AKIDENV/") && authorization.contains("/ap-south-1/"));
        assert_eq!(seen.header("x-amz-security-token"), "sesame");
    }
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_makes_every_call() {
    let session = Session::from_env().await.unwrap();
    assert_eq!(session.region(), "ap-south-1");
    assert_eq!(secrets::Client::new(&session).unwrap().read("x").await.unwrap(), b"s");
    let name = ClusterName::parse("prod").unwrap();
    assert_eq!(describe(&session, &name).await.unwrap().authority_pem, "pem");
    let token = Tokens::new(&session, name, Arc::new(SystemClock)).token().await.unwrap().secret;
    let url = URL_SAFE_NO_PAD.decode(token.strip_prefix("k8s-aws-v1.").unwrap()).unwrap();
    assert!(url.starts_with(b"https://sts.example/?Action="), "{}", String::from_utf8_lossy(&url));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_credentials_nothing_is_sent() {
    let server = Server::start([json(200, &json!({"SecretString": "s"}))]).await;
    passed(&run("child_has_no_credentials", &[("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &server.url)]).await);
    assert!(server.seen().is_empty());
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_has_no_credentials() {
    let session = Session::from_env().await.unwrap();
    let name = ClusterName::parse("prod").unwrap();
    let errors = [
        secrets::Client::new(&session).unwrap().read("x").await.unwrap_err(),
        describe(&session, &name).await.unwrap_err(),
        Tokens::new(&session, name, Arc::new(SystemClock)).token().await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::NoCredentials(_)), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_that_is_wrong_is_named() {
    passed(&run("child_has_no_region", &[]).await);
    let keys = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let with = |more: &[(&'static str, &'static str)]| [keys.as_slice(), more].concat();
    passed(&run("child_has_wrong_endpoints", &with(&[("AWS_ENDPOINT_URL", "localhost:4566")])).await);
    passed(&run("child_wants_fips", &with(&[("AWS_USE_FIPS_ENDPOINT", "true")])).await);
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_has_no_region() {
    let error = Session::from_env().await.unwrap_err();
    assert_eq!(error.to_string(), "AWS_REGION: is not set, and no profile names a region");
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_has_wrong_endpoints() {
    let session = Session::from_env().await.unwrap();
    let name = ClusterName::parse("prod").unwrap();
    let errors = [
        ("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets::Client::new(&session).unwrap_err()),
        ("AWS_ENDPOINT_URL_EKS", describe(&session, &name).await.unwrap_err()),
        ("AWS_ENDPOINT_URL_STS", Tokens::new(&session, name, Arc::new(SystemClock)).token().await.unwrap_err()),
    ];
    for (field, error) in errors {
        assert!(error.to_string().starts_with(&format!("{field}: \"localhost:4566\" is no ")), "{error}");
    }
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_wants_fips() {
    let session = Session::from_env().await.unwrap();
    let error = describe(&session, &ClusterName::parse("prod").unwrap()).await.unwrap_err();
    assert_eq!(error.to_string(), "AWS_USE_FIPS_ENDPOINT: is set; name the endpoint by AWS_ENDPOINT_URL_EKS then");
}
