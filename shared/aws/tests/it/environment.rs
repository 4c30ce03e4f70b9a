//! What the environment decides, in processes that have one of their own.

use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use heal_aws::eks::{ClusterName, Tokens, describe};
use heal_aws::{Error, Session, secrets};
use heal_runtime::port::SystemClock;
use serde_json::json;

use crate::support::server::{Server, closed, json};

/// Runs one of the tests below that are not run on their own, in that environment and no other.
async fn run(test: &str, env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("environment::{test}"), "--ignored", "--nocapture"]).env_clear();
    command.env("AWS_EC2_METADATA_DISABLED", "true").envs(env.iter().copied());
    tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap()
}

/// What a function is told by besides, and no other program.
const FUNCTION: (&str, &str) = ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9");

/// A program on a machine, and a function.
fn both<'e>(env: &[(&'e str, &'e str)]) -> [Vec<(&'e str, &'e str)>; 2] {
    [env.to_vec(), [env, &[FUNCTION]].concat()]
}

fn passed(output: &Output) {
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_who_calls_and_where_and_has_no_say_through_a_proxy() {
    for own in both(&[]) {
        every_call_goes_where_the_environment_says(&own).await;
    }
}

async fn every_call_goes_where_the_environment_says(own: &[(&str, &str)]) {
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
    let env: Vec<_> = env.into_iter().chain(own.iter().copied()).collect();
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
    for env in both(&[("AWS_REGION", "eu-west-1"), ("AWS_ENDPOINT_URL", &server.url)]) {
        passed(&run("child_has_no_credentials", &env).await);
    }
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
    for env in both(&[]) {
        passed(&run("child_has_no_region", &env).await);
    }
    let keys = [("AWS_REGION", "eu-west-1"), ("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "b")];
    let with = |more: &[(&'static str, &'static str)]| [keys.as_slice(), more].concat();
    for env in both(&with(&[("AWS_ENDPOINT_URL", "localhost:4566")])) {
        passed(&run("child_has_wrong_endpoints", &env).await);
    }
    for env in both(&with(&[("AWS_USE_FIPS_ENDPOINT", "true")])) {
        passed(&run("child_wants_fips", &env).await);
    }
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
        assert!(error.to_string().starts_with(&format!("{field}: \"localhost:4566\" is not ")), "{error}");
    }
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_wants_fips() {
    let session = Session::from_env().await.unwrap();
    let error = describe(&session, &ClusterName::parse("prod").unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "AWS_USE_FIPS_ENDPOINT: is set, which is not supported here; set the endpoint in AWS_ENDPOINT_URL_EKS"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_function_looks_into_no_profile() {
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("config");
    std::fs::write(&profile, "[default]\nregion = eu-north-1\n").unwrap();
    let env = [("AWS_CONFIG_FILE", profile.to_str().unwrap())];
    passed(&run("child_has_the_region_of_the_profile", &env).await);
    passed(&run("child_has_no_region", &[env[0], FUNCTION]).await);
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_has_the_region_of_the_profile() {
    assert_eq!(Session::from_env().await.unwrap().region(), "eu-north-1");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_server_that_the_machines_authorities_vouch_for_is_told_anything() {
    let answer = json!({
        "SecretString": "s",
        "cluster": {"endpoint": "https://k", "certificateAuthority": {"data": STANDARD.encode("pem")}}
    });
    let folder = tempfile::tempdir().unwrap();
    for own in both(&[]) {
        let (server, authority_pem) = Server::start_tls([json(200, &answer)]).await;
        let (_, of_another) = Server::start_tls([json(200, &answer)]).await;
        let env = |file: &str, pem: &str| {
            let path = folder.path().join(file);
            std::fs::write(&path, pem).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let (trusted, other) = (env("trusted.pem", &authority_pem), env("other.pem", &of_another));
        let keys = [
            ("AWS_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "a"),
            ("AWS_SECRET_ACCESS_KEY", "b"),
            ("AWS_ENDPOINT_URL", &server.url),
        ];
        let with = |authorities| [keys.as_slice(), &own, &[("SSL_CERT_FILE", authorities)]].concat();
        passed(&run("child_trusts_nobody_there", &with(&other)).await);
        assert!(server.seen().is_empty());
        passed(&run("child_reads_over_tls", &with(&trusted)).await);
        assert_eq!(server.seen().len(), 2);
    }
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_reads_over_tls() {
    let session = Session::from_env().await.unwrap();
    assert_eq!(secrets::Client::new(&session).unwrap().read("x").await.unwrap(), b"s");
    assert_eq!(describe(&session, &ClusterName::parse("prod").unwrap()).await.unwrap().authority_pem, "pem");
}

#[tokio::test]
#[ignore = "a child of the test above, which gives it an environment"]
async fn child_trusts_nobody_there() {
    let session = Session::from_env().await.unwrap();
    let errors = [
        secrets::Client::new(&session).unwrap().read("x").await.unwrap_err(),
        describe(&session, &ClusterName::parse("prod").unwrap()).await.unwrap_err(),
    ];
    for error in errors {
        assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}
