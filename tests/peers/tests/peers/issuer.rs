//! An issuer of OIDC tokens whose keys are asked for. Each call has doors of its own: one door asks once at a time.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::routing::get;
use heal_api::doors::access::Access;
use heal_api::doors::oidc::{Oidc, RoleClaim};
use heal_api::doors::{Doors, Parts};
use heal_peers::acts::acts;
use heal_peers::hostile::Hostile;
use heal_peers::ordeal::{Outcome, undergo};
use heal_runtime::port::OsEntropy;
use heal_telemetry::metrics::Metrics;
use heal_testkit::memory::ManualClock;
use tower::ServiceExt as _;

/// Signed by a key `k` that the issuer is asked for.
const TOKEN: &str = "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.e30.AAAA";

fn doors(issuer: String) -> Arc<Doors> {
    let oidc = Oidc {
        issuer,
        audience: "heal".to_owned(),
        algorithms: vec!["RS256".parse().unwrap()],
        leeway_seconds: 10,
        identity_claim: "sub".to_owned(),
        roles: RoleClaim { claim: "groups".to_owned(), map: BTreeMap::new() },
        client: None,
    };
    let access = Access { oidc: Some(oidc), ..Access::default() };
    let parts =
        Parts { clock: Arc::new(ManualClock::default()), entropy: Arc::new(OsEntropy), metrics: Metrics::silent() };
    Arc::new(Doors::new(access, "127.0.0.1:8080".parse().unwrap(), parts).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        undergo(&format!("issuer: {name}"), act, Outcome::Failure, async |server: &Hostile| {
            let issuer = format!("http://{}", server.addr);
            move |time| {
                let router = doors(issuer.clone()).guard(Router::new().route("/api/v1/runs", get(async || "runs")));
                async move {
                    let request =
                        Request::get("/api/v1/runs").header("host", "localhost").header("authorization", TOKEN);
                    let request = request.body(Body::empty()).unwrap();
                    let answer = tokio::time::timeout(time, router.oneshot(request)).await;
                    let status = answer.map_err(|error| error.to_string())?.unwrap().status();
                    if status.is_success() { Ok(()) } else { Err(status.to_string()) }
                }
            }
        })
        .await;
    }
}
