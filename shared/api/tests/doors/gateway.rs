//! The doors of a function behind API Gateway.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Extensions, Request, StatusCode};
use axum::response::Response;
use axum::routing::{get, post, put};
use heal_api::doors::access::Access;
use heal_api::doors::token::{self, TokenSource, Tokens};
use heal_api::doors::{Doors, DoorsError, Parts};
use heal_api::{Caller, GatewayRoles, Role, behind_gateway};
use heal_runtime::port::{Clock as _, OsEntropy};
use heal_telemetry::metrics::Metrics;
use heal_testkit::memory::ManualClock;
use serde_json::{Value, json};
use tower::ServiceExt as _;

const NAME: &str = "a1b2.execute-api.eu-west-1.amazonaws.com";
const KEY: &str = "a key that all processes of the function share";

fn context(extensions: &Extensions) -> Value {
    extensions.get::<Value>().cloned().unwrap_or_default()
}

fn parts() -> Parts {
    Parts { clock: Arc::new(ManualClock::default()), entropy: Arc::new(OsEntropy), metrics: Metrics::silent() }
}

/// One process of the function. Each handler answers with its caller.
fn process(access: &Access, fallback: Option<Role>) -> Router {
    async fn caller(caller: Result<Caller, heal_api::Problem>) -> String {
        caller.map_or_else(|_| "nobody".to_owned(), |it| format!("{} {}", it.identity, it.role.as_str()))
    }
    let routes = Router::new()
        .route("/api/v1/me", get(caller))
        .route("/api/v1/runs", get(caller))
        .route("/api/v1/incidents", post(caller))
        .route("/api/v1/autonomy/{playbook}", put(caller))
        .route("/hooks/{source}", post(caller));
    let doors = Arc::new(Doors::behind_gateway(access.clone(), Some(KEY), parts()).unwrap());
    behind_gateway(doors.guard(routes), context, GatewayRoles::new(access, fallback))
}

fn access() -> (Access, String) {
    let iam = json!({"iam": {"roles": {"arn:aws:iam::1:role/ops": "operator"}}});
    let access = Access::read(&iam, Path::new(""), None).unwrap();
    let now = ManualClock::default().now();
    let times = [now, now.plus_ms(60_000)];
    let (token, entry) = token::create("ci", Role::Operator, None, times, &OsEntropy).unwrap();
    (Access { tokens: Some(TokenSource::Inline(Tokens { tokens: vec![entry] })), ..access }, token)
}

fn session(role: &str) -> Value {
    json!({"iam": {"userId": format!("AROA:{role}"), "userArn": format!("arn:aws:sts::1:assumed-role/{role}/anna")}})
}

async fn send(router: &Router, method: &str, path: &str, authorizer: Value, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().method(method).uri(path);
    let given: BTreeMap<_, _> =
        [("host", NAME), ("content-type", "application/json")].into_iter().chain(headers.iter().copied()).collect();
    for (name, value) in given {
        request = request.header(name, value);
    }
    let mut request = request.body(Body::empty()).unwrap();
    let context = json!({"authorizer": authorizer, "domainName": NAME, "http": {"sourceIp": "192.0.2.1"}});
    request.extensions_mut().insert(context);
    router.clone().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> (StatusCode, String) {
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

#[tokio::test]
async fn a_principal_does_what_its_role_allows_and_without_one_it_only_asks_who_it_is() {
    let router = process(&access().0, None);
    let ops = || session("ops");
    let (status, body) = text(send(&router, "POST", "/api/v1/incidents", ops(), &[]).await).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "iam:AROA:ops operator"));
    assert_eq!(text(send(&router, "PUT", "/api/v1/autonomy/x", ops(), &[]).await).await.0, StatusCode::FORBIDDEN);
    for path in ["/api/v1/runs", "/api/v1/forgotten"] {
        let (status, body) = text(send(&router, "GET", path, session("other"), &[]).await).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{path} {body}");
        assert!(body.contains("iam:AROA:other has no role here"), "{body}");
    }
    assert_eq!(text(send(&router, "GET", "/api/v1/me", session("other"), &[]).await).await.0, StatusCode::OK);
    assert_eq!(text(send(&router, "GET", "/api/v1/me", Value::Null, &[]).await).await.0, StatusCode::UNAUTHORIZED);
    let reader = process(&access().0, Some(Role::Viewer));
    let (_, body) = text(send(&reader, "GET", "/api/v1/runs", session("other"), &[]).await).await;
    assert_eq!(body, "iam:AROA:other viewer");
}

#[tokio::test]
async fn only_the_name_that_the_gateway_attests_is_ours_and_only_our_pages_change_anything() {
    let router = process(&access().0, None);
    let status = async |headers: &[(&str, &str)]| {
        send(&router, "POST", "/api/v1/incidents", session("ops"), headers).await.status()
    };
    assert_eq!(status(&[]).await, StatusCode::OK);
    assert_eq!(status(&[("host", "evil.example.com")]).await, StatusCode::MISDIRECTED_REQUEST);
    assert_eq!(status(&[("origin", "https://evil.example.com")]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[("origin", &format!("https://{NAME}"))]).await, StatusCode::OK);
    assert_eq!(status(&[("sec-fetch-site", "cross-site")]).await, StatusCode::FORBIDDEN);
    assert_eq!(status(&[("content-type", "text/plain")]).await, StatusCode::UNSUPPORTED_MEDIA_TYPE);
}

#[tokio::test]
async fn a_session_that_one_process_has_begun_holds_in_another() {
    let (access, token) = access();
    let (first, second) = (process(&access, None), process(&access, None));
    let sign_in = Request::builder().method("POST").uri("/login").header("host", NAME);
    let sign_in = sign_in.header("content-type", "application/x-www-form-urlencoded");
    let mut sign_in = sign_in.body(Body::from(format!("token={token}"))).unwrap();
    sign_in.extensions_mut().insert(json!({"domainName": NAME}));
    let response = first.oneshot(sign_in).await.unwrap();
    let cookie = response.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap();
    let (status, body) = text(send(&second, "GET", "/api/v1/runs", Value::Null, &[("cookie", cookie)]).await).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "token:ci operator"));
}

#[tokio::test]
async fn a_sender_of_alerts_may_have_a_token_and_other_credentials_are_left_to_its_signature() {
    let (access, token) = access();
    let router = process(&access, None);
    for (credentials, expected) in [
        (format!("Bearer {token}"), "token:ci operator"),
        ("Basic eDp5".to_owned(), "nobody"),
        ("Bearer heal_x".to_owned(), "nobody"),
    ] {
        let headers = [("authorization", credentials.as_str())];
        let (status, body) = text(send(&router, "POST", "/hooks/grafana", Value::Null, &headers).await).await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, expected), "{credentials}");
    }
}

#[test]
fn people_cannot_sign_in_without_a_key_that_the_processes_share() {
    let error = Doors::behind_gateway(access().0, None, parts()).err().unwrap();
    assert!(matches!(error, DoorsError::NoSessionKey), "{error}");
    let error = Doors::behind_gateway(access().0, Some("short"), parts()).err().unwrap();
    assert!(matches!(error, DoorsError::ShortSessionKey { observed_bytes: 5 }), "{error}");
    assert!(Doors::behind_gateway(Access::default(), None, parts()).is_ok(), "nobody signs in by IAM");
}
