//! Who is let in, and what they may do.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_api::Role;
use heal_api::doors::access::Access;
use heal_api::doors::{Doors, DoorsError, Parts};
use heal_runtime::port::OsEntropy;
use heal_telemetry::metrics::Metrics;
use heal_testkit::memory::ManualClock;
use serde_json::{Value, json};
use std::sync::Arc;

use crate::issuer::Issuer;
use crate::site::{LIMITS, Site, answer};

/// The time of the manual clock, in seconds.
const NOW: u64 = 1_800_000_000;
const RUNS: &str = "/api/v1/runs";

#[tokio::test]
async fn a_request_without_an_identity_is_refused_and_health_is_not() {
    let site = Site::start(LIMITS, |_| {}).await;
    let (status, body) = answer(site.get(RUNS)).await;
    assert_eq!(status, 401, "{body}");
    assert!(body.contains("nobody is identified"), "{body}");
    assert_eq!(answer(site.get("/health")).await, (200, "well".to_owned()));
    let response = site.get(RUNS).send().await.unwrap();
    assert_eq!(response.headers()["www-authenticate"], "Bearer");
    assert_eq!(site.refused("no_identity"), 2);
}

#[tokio::test]
async fn each_role_reaches_its_routes_and_no_higher_one() {
    let site = Site::start(LIMITS, |_| {}).await;
    for role in Role::ALL {
        let token = site.token(role.as_str(), role, None);
        let calls = [
            (Role::Viewer, site.get(RUNS)),
            (Role::Operator, site.post("/api/v1/incidents")),
            (Role::Approver, site.post("/api/v1/runs/r/approve")),
            (Role::Admin, crate::site::http().put(site.url("/api/v1/autonomy/x")).json(&json!({}))),
        ];
        for (needed, call) in calls {
            let (status, body) = answer(call.bearer_auth(&token)).await;
            let expected = format!("token:{} {}", role.as_str(), role.as_str());
            if role >= needed {
                assert_eq!((status, body), (200, expected), "{role:?} {needed:?}");
            } else {
                assert_eq!(status, 403, "{role:?} {needed:?} {body}");
            }
        }
    }
    assert_eq!(site.refused("role"), 6);
}

#[tokio::test]
async fn a_route_without_a_line_in_the_table_is_refused_even_for_an_admin() {
    let site = Site::start(LIMITS, |_| {}).await;
    let admin = site.token("root", Role::Admin, None);
    assert_eq!(answer(site.get("/api/v1/forgotten").bearer_auth(admin)).await.0, 403);
    assert_eq!(site.refused("role"), 1);
}

#[tokio::test]
async fn an_api_token_ends_with_its_time_its_path_and_its_line() {
    let site = Site::start(LIMITS, |_| {}).await;
    let (ci, other) =
        (site.token("ci", Role::Operator, Some("/api/v1/incidents")), site.token("other", Role::Viewer, None));
    assert_eq!(answer(site.post("/api/v1/incidents").bearer_auth(&ci)).await.0, 200);
    assert_eq!(answer(site.get(RUNS).bearer_auth(&ci)).await.0, 403);
    assert_eq!(answer(site.get(RUNS).bearer_auth(format!("{other}x"))).await.0, 401);
    assert_eq!(answer(site.get(RUNS).bearer_auth(&other)).await.0, 200);
    site.revoke("other");
    let (status, body) = answer(site.get(RUNS).bearer_auth(&other)).await;
    assert_eq!(status, 401);
    assert!(body.contains("revoked") && !body.contains(&other), "{body}");
    site.clock.advance_ms(3_600_000);
    let (status, body) = answer(site.post("/api/v1/incidents").bearer_auth(&ci)).await;
    assert_eq!(status, 401);
    assert!(body.contains("has expired"), "{body}");
    assert_eq!(site.refused("credentials"), 3);
}

fn claims(issuer: &Issuer) -> Value {
    json!({"iss": issuer.url, "aud": ["other", "heal"], "sub": "anna", "groups": ["dev", "sre"], "exp": NOW + 600, "nbf": NOW})
}

#[tokio::test]
async fn a_token_of_the_issuer_lets_in_whom_it_names() {
    let issuer = Issuer::start().await;
    let site = Site::start(LIMITS, |access| access.oidc = Some(issuer.oidc())).await;
    let token = issuer.sign(&claims(&issuer));
    let approved = answer(site.post("/api/v1/runs/r/approve").bearer_auth(&token)).await;
    assert_eq!(approved, (200, "oidc:anna approver".to_owned()));
    // Expired for less than the leeway, and for longer.
    site.clock.advance_ms(609_000);
    assert_eq!(answer(site.get(RUNS).bearer_auth(&token)).await.0, 200);
    site.clock.advance_ms(1_000);
    let (status, body) = answer(site.get(RUNS).bearer_auth(&token)).await;
    assert_eq!(status, 401);
    assert!(body.contains("has expired"), "{body}");
}

#[tokio::test]
async fn whatever_is_wrong_with_a_token_it_is_refused_and_counted() {
    let issuer = Issuer::start().await;
    let site = Site::start(LIMITS, |access| access.oidc = Some(issuer.oidc())).await;
    let with = |claim: &str, value: Value| {
        let mut claims = claims(&issuer);
        claims[claim] = value;
        claims
    };
    let good = issuer.sign(&claims(&issuer));
    let payload = good.split('.').nth(1).unwrap();
    let none = format!("{}.{payload}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"first"}"#));
    let signature = good.rsplit('.').next().unwrap();
    let forged = URL_SAFE_NO_PAD.encode(with("sub", json!("root")).to_string());
    let forged = format!("{}.{forged}.{signature}", good.split('.').next().unwrap());
    let wrong = [
        ("expired", issuer.sign(&with("exp", json!(NOW - 11)))),
        ("without an end", issuer.sign(&with("exp", Value::Null))),
        ("not valid yet", issuer.sign(&with("nbf", json!(NOW + 60)))),
        ("another issuer", issuer.sign(&with("iss", json!("https://evil.example.com")))),
        ("another audience", issuer.sign(&with("aud", json!("other")))),
        ("no subject", issuer.sign(&with("sub", json!("")))),
        ("alg none", none),
        ("HS256 with the public key", issuer.sign_with_public_key(&claims(&issuer))),
        ("a forged payload", forged),
        ("nothing", "x".to_owned()),
    ];
    let count = wrong.len() as u64;
    for (what, token) in wrong {
        let (status, body) = answer(site.get(RUNS).bearer_auth(&token)).await;
        assert_eq!(status, 401, "{what}: {body}");
    }
    assert_eq!(site.refused("credentials"), count);
    let (status, _) = answer(site.get(RUNS).bearer_auth(issuer.sign(&with("groups", json!(["nobody"]))))).await;
    assert_eq!((status, site.refused("role")), (403, 1));
}

#[tokio::test]
async fn a_rotated_key_is_fetched_once_and_the_old_one_ends() {
    let issuer = Issuer::start().await;
    let site = Site::start(LIMITS, |access| access.oidc = Some(issuer.oidc())).await;
    let old = issuer.sign(&claims(&issuer));
    assert_eq!(answer(site.get(RUNS).bearer_auth(&old)).await.0, 200);
    assert_eq!(issuer.fetched(), 1);
    issuer.rotate("second");
    let new = issuer.sign(&claims(&issuer));
    // Tokens of unknown keys do not make the server call the issuer each time.
    assert_eq!(answer(site.get(RUNS).bearer_auth(&new)).await.0, 401);
    assert_eq!(issuer.fetched(), 1);
    site.clock.advance_ms(10_000);
    assert_eq!(answer(site.get(RUNS).bearer_auth(&new)).await.0, 200);
    assert_eq!(answer(site.get(RUNS).bearer_auth(&old)).await.0, 401);
    assert_eq!(issuer.fetched(), 2);
}

#[tokio::test]
async fn without_identities_loopback_is_a_trial_and_any_other_address_is_refused() {
    let site = Site::start(LIMITS, |access| *access = Access::default()).await;
    let trial = answer(site.post("/api/v1/runs/r/approve")).await;
    assert_eq!(trial, (200, "api:anonymous admin".to_owned()));
    let parts =
        Parts { clock: Arc::new(ManualClock::default()), entropy: Arc::new(OsEntropy), metrics: Metrics::silent() };
    let refused = Doors::new(Access::default(), "0.0.0.0:8080".parse().unwrap(), parts).err().unwrap();
    assert!(matches!(refused, DoorsError::Open { .. }));
    assert!(refused.to_string().contains("without identities"), "{refused}");
}
