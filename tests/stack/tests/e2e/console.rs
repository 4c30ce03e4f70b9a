//! The function `api` behind the local API Gateway, as a browser, a program and a monitoring system reach it.

use heal_runtime::RunOutcome;
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use crate::rig::{RUN_TIMEOUT, Rig, until};

/// API tokens of `tests/stack/api.json`.
const ANNA: &str = "heal_test-anna";
const BEN: &str = "heal_test-ben";
const CARL: &str = "heal_test-carl";
const ALERTS: &str = "heal_test-alerts";

/// The HTTP API by the name under which the gateway serves it.
struct Api {
    http: reqwest::Client,
    endpoint: String,
    id: String,
}

impl Api {
    async fn new(rig: &Rig) -> Self {
        static ID: OnceCell<String> = OnceCell::const_new();
        let id = ID.get_or_init(|| heal_stack::table::api_id(&rig.deployment.stack)).await.clone();
        let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let http = http.timeout(RUN_TIMEOUT).build().unwrap();
        Self { http, endpoint: rig.deployment.stack.endpoint_url.clone(), id }
    }

    fn host(&self) -> String {
        let port = self.endpoint.rsplit(':').next().unwrap();
        format!("{}.execute-api.localhost:{port}", self.id)
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.endpoint)).header("host", self.host())
    }

    /// A change as the script of the console sends it.
    fn change(&self, path: &str, session: &str, body: &Value) -> RequestBuilder {
        let request = self.request(Method::POST, path).header("cookie", session).json(body);
        request.header("origin", format!("http://{}", self.host())).header("sec-fetch-site", "same-origin")
    }

    /// The cookie of a person who has signed in with a token.
    async fn sign_in(&self, token: &str) -> String {
        let form =
            self.request(Method::POST, "/login/token").header("content-type", "application/x-www-form-urlencoded");
        let response = form.body(format!("token={token}")).send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        assert_eq!(status, StatusCode::SEE_OTHER, "{}", response.text().await.unwrap());
        let cookie = headers["set-cookie"].to_str().unwrap();
        assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn page(&self, path: &str, session: &str) -> String {
        let request = self.request(Method::GET, path).header("accept", "text/html").header("cookie", session);
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        assert!(response.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
        response.text().await.unwrap()
    }
}

async fn json_of(request: RequestBuilder) -> (StatusCode, Value) {
    let response = request.send().await.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_by_the_consoles_form_is_healed_once_a_second_person_has_agreed() {
    let rig = Rig::shared().await;
    let api = Api::new(&rig).await;
    let outside = api.request(Method::GET, "/").header("accept", "text/html").send().await.unwrap();
    assert_eq!((outside.status(), outside.headers()["location"].to_str().unwrap()), (StatusCode::SEE_OTHER, "/login"));
    let (anna, ben, carl) = (api.sign_in(ANNA).await, api.sign_in(BEN).await, api.sign_in(CARL).await);
    assert!(api.page("/incidents/new", &anna).await.contains("<form"));

    let incident = json!({"incident_id": "inc-console", "incident_type": "ASK_FIRST", "workflow_id": "wf-console"});
    let (status, body) = json_of(api.change("/api/v1/incidents", &carl, &incident)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{body}");
    let (status, body) = json_of(api.change("/api/v1/incidents", &anna, &incident)).await;
    assert_eq!(status, StatusCode::ACCEPTED, "{body}");

    let head = rig.wait("inc-console", |head| head.status == heal_runtime::RunStatus::AwaitingApproval).await;
    let asked = rig.report(&head).await.approvals.remove(0);
    assert_eq!(
        asked.requested_by.as_deref(),
        Some("token:anna"),
        "the dispatcher records the person, not the function"
    );
    let answer = json!({"digest": asked.digest, "step": "pause"});
    let approve = format!("/api/v1/runs/{}/approve", head.run_id);
    let (status, body) = json_of(api.change(&approve, &anna, &answer)).await;
    assert_ne!((status, &body["changed"]), (StatusCode::OK, &json!(true)), "anna approved her own run: {body}");
    let (status, body) = json_of(api.change(&approve, &ben, &answer)).await;
    assert!(status.is_success(), "{status} {body}");

    let head = rig.completed("inc-console").await;
    assert_eq!(head.outcome, Some(RunOutcome::Completed));
    assert_eq!(rig.effects("wf-console").len(), 1);
    let page = api.page(&format!("/runs/{}", head.run_id), &carl).await;
    assert!(page.contains("token:ben") && page.contains("wf-console"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_name_and_another_site_are_refused_behind_the_gateway() {
    let rig = Rig::shared().await;
    let api = Api::new(&rig).await;
    let anna = api.sign_in(ANNA).await;
    // The one way to reach this API by a name that is not its own.
    let path = format!("/_aws/execute-api/{}/$default/api/v1/runs", api.id);
    let rebound = api.http.get(format!("{}{path}", api.endpoint)).header("host", "evil.example.com");
    let (status, body) = json_of(rebound.header("cookie", &anna)).await;
    assert_eq!(status, StatusCode::MISDIRECTED_REQUEST, "{body}");
    let incident = json!({"incident_id": "inc-csrf", "incident_type": "ASK_FIRST", "workflow_id": "wf-console"});
    for (name, value) in [("origin", "https://evil.example.com"), ("sec-fetch-site", "cross-site")] {
        let request = api.request(Method::POST, "/api/v1/incidents").header("cookie", &anna).json(&incident);
        let (status, body) = json_of(request.header(name, value)).await;
        assert_eq!(status, StatusCode::FORBIDDEN, "{name}: {body}");
    }
    let (status, body) = json_of(api.request(Method::GET, "/api/v1/me").bearer_auth(CARL)).await;
    assert_eq!((status, body), (StatusCode::OK, json!({"identity": "token:carl", "role": "viewer"})));
    let nobody = api.request(Method::GET, "/api/v1/me").send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    assert!(rig.runs_of("inc-csrf").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_raises_one_run_however_often_it_fires() {
    let rig = Rig::shared().await;
    let api = Api::new(&rig).await;
    let alert = json!({"status": "firing", "fingerprint": "f1", "startsAt": "2026-11-28T10:00:00Z",
        "labels": {"alertname": "TicketOverdue", "ticket_id": "alert-0"}, "annotations": {}});
    let delivery = json!({"version": "4", "status": "firing", "alerts": [alert]});
    let send = |token: &'static str| {
        json_of(api.request(Method::POST, "/hooks/alertmanager").bearer_auth(token).json(&delivery))
    };
    let (status, body) = send(CARL).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "{body}");
    let id = "alertmanager:f1@2026-11-28T10:00:00Z";
    for _ in 0..2 {
        let (status, body) = send(ALERTS).await;
        assert_eq!((status, &body["incident_ids"]), (StatusCode::ACCEPTED, &json!([id])), "{body}");
    }
    rig.completed(id).await;
    until("both deliveries are processed", async || rig.runs_of(id).await.len() == 1).await;
    assert_eq!(rig.effects("alert-0").iter().filter(|call| call.path.ends_with("/reallocate")).count(), 1);
}
