//! A secret's value, and every way not to get it.

use heal_aws::{Error, secrets};
use serde_json::json;

use crate::support::server::{Server, closed, fault, json};
use crate::support::{ACCESS_KEY_ID, REGION, session_at};

const ID: &str = "spiffe/engine";

async fn read(server: &Server) -> Result<Vec<u8>, Error> {
    secrets::Client::new(&session_at(&server.url).await).unwrap().read(ID).await
}

#[tokio::test]
async fn a_text_comes_back_as_it_is_stored() {
    let server = Server::start([json(200, &json!({"Name": ID, "SecretString": "{\"a\": \"ä\"}"}))]).await;
    assert_eq!(read(&server).await.unwrap(), "{\"a\": \"ä\"}".as_bytes());
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-amz-target"), "secretsmanager.GetSecretValue");
    assert_eq!(seen.json(), json!({"SecretId": ID}));
    let authorization = seen.header("authorization");
    assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 Credential={ACCESS_KEY_ID}/")), "{authorization}");
    assert!(authorization.contains(&format!("/{REGION}/secretsmanager/aws4_request")), "{authorization}");
}

#[tokio::test]
async fn a_binary_secret_comes_back_decoded() {
    let server = Server::start([json(200, &json!({"Name": ID, "SecretBinary": "AAH/"}))]).await;
    assert_eq!(read(&server).await.unwrap(), [0, 1, 255]);
}

#[tokio::test]
async fn a_secret_without_a_value_is_no_empty_secret() {
    let server = Server::start([json(200, &json!({"Name": ID}))]).await;
    assert_eq!(
        read(&server).await.unwrap_err().to_string(),
        "secret spiffe/engine: the answer has neither a text nor a binary value"
    );
}

#[tokio::test]
async fn a_missing_secret_is_named() {
    let server = Server::start([fault(400, "ResourceNotFoundException", "can't find it")]).await;
    let error = read(&server).await.unwrap_err();
    assert_eq!(error.to_string(), "secret spiffe/engine does not exist: can't find it");
    assert!(matches!(error, Error::NotFound { .. }) && !error.is_transient());
    assert_eq!(server.seen().len(), 1, "not asked again");
}

#[tokio::test]
async fn who_may_not_read_it_is_told_so_on_one_line() {
    let message = "role x is not authorized\r\nto perform: secretsmanager:GetSecretValue";
    let server = Server::start([fault(400, "AccessDeniedException", message)]).await;
    let error = read(&server).await.unwrap_err();
    assert!(matches!(error, Error::Denied { .. }), "{error:?}");
    let text = error.to_string();
    assert!(text.starts_with("secret spiffe/engine: access denied: role x is not authorized"), "{text}");
    assert!(!text.contains(['\r', '\n']), "{text}");
    assert_eq!(server.seen().len(), 1, "not asked again");
}

#[tokio::test]
async fn another_refusal_keeps_its_code() {
    let server = Server::start([fault(400, "DecryptionFailure", "the key is gone")]).await;
    let error = read(&server).await.unwrap_err();
    assert_eq!(error.to_string(), "secret spiffe/engine: refused (DecryptionFailure): the key is gone");
}

#[tokio::test]
async fn a_throttled_reading_is_tried_once_more_and_no_oftener() {
    let throttled = || fault(400, "ThrottlingException", "slow down");
    let good = json(200, &json!({"Name": ID, "SecretString": "s"}));
    let server = Server::start([throttled(), good]).await;
    assert_eq!(read(&server).await.unwrap(), b"s");
    assert_eq!(server.seen().len(), 2);

    let server = Server::start([throttled()]).await;
    let error = read(&server).await.unwrap_err();
    assert_eq!(error.to_string(), "secret spiffe/engine: throttled: slow down");
    assert!(error.is_transient());
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_not_well_is_out_of_reach() {
    let server = Server::start([fault(500, "InternalServiceError", "oh")]).await;
    let error = read(&server).await.unwrap_err();
    assert_eq!(error.to_string(), "secret spiffe/engine is unavailable: status 500: oh");
    let nobody = secrets::Client::new(&session_at(&closed().await).await).unwrap();
    let error = nobody.read(ID).await.unwrap_err();
    assert!(matches!(error, Error::Unavailable { .. }), "{error:?}");
    assert!(error.to_string().contains("refused"), "{error}");
}
