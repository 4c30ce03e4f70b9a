//! A little OIDC issuer: discovery, keys that rotate, and the authorization code flow.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::extract::{Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_api::Role;
use heal_api::doors::oidc::{Client, Oidc, RoleClaim};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;

pub(crate) struct Issuer {
    pub url: String,
    state: Arc<Mutex<Inner>>,
}

struct Inner {
    url: String,
    key_id: String,
    key: EncodingKey,
    /// What the next code stands for: the query of the authorization request.
    asked: HashMap<String, String>,
    fetched: usize,
}

impl Issuer {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let url = format!("http://{address}");
        let inner =
            Inner { url: url.clone(), key_id: "first".to_owned(), key: key(), asked: HashMap::new(), fetched: 0 };
        let state = Arc::new(Mutex::new(inner));
        let router = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(Arc::clone(&state));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { url, state }
    }

    /// The configuration for this issuer.
    pub(crate) fn oidc(&self) -> Oidc {
        let map = [("dev", Role::Viewer), ("sre", Role::Approver)].map(|(name, role)| (name.to_owned(), role));
        Oidc {
            issuer: self.url.clone(),
            audience: "heal".to_owned(),
            algorithms: vec![Algorithm::RS256, Algorithm::ES256],
            leeway_seconds: 10,
            identity_claim: "sub".to_owned(),
            roles: RoleClaim { claim: "groups".to_owned(), map: map.into() },
            client: Some(Client { id: "console".to_owned(), secret: None }),
        }
    }

    pub(crate) fn sign(&self, claims: &Value) -> String {
        let inner = self.state.lock().unwrap();
        let header = Header { kid: Some(inner.key_id.clone()), ..Header::new(Algorithm::ES256) };
        jsonwebtoken::encode(&header, claims, &inner.key).unwrap()
    }

    /// The public key as an attacker would use it for HS256: its text is the shared secret.
    pub(crate) fn sign_with_public_key(&self, claims: &Value) -> String {
        let inner = self.state.lock().unwrap();
        let public = serde_json::to_vec(&jwk(&inner)).unwrap();
        let header = Header { kid: Some(inner.key_id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, claims, &EncodingKey::from_secret(&public).unwrap()).unwrap()
    }

    pub(crate) fn rotate(&self, key_id: &str) {
        let mut inner = self.state.lock().unwrap();
        key_id.clone_into(&mut inner.key_id);
        inner.key = key();
    }

    /// How often the keys were fetched.
    pub(crate) fn fetched(&self) -> usize {
        self.state.lock().unwrap().fetched
    }
}

fn key() -> EncodingKey {
    EncodingKey::from_ec_der(&rcgen::KeyPair::generate().unwrap().serialize_der())
}

fn jwk(inner: &Inner) -> Jwk {
    let mut jwk = Jwk::from_encoding_key(&inner.key, Algorithm::ES256).unwrap();
    jwk.common.key_id = Some(inner.key_id.clone());
    jwk
}

type Shared = State<Arc<Mutex<Inner>>>;

async fn discovery(State(state): Shared) -> Json<Value> {
    let url = state.lock().unwrap().url.clone();
    Json(json!({"issuer": url, "jwks_uri": format!("{url}/keys"), "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token")}))
}

async fn keys(State(state): Shared) -> Json<Value> {
    let mut inner = state.lock().unwrap();
    inner.fetched += 1;
    // A key of a kind that nobody knows stands beside it.
    Json(json!({"keys": [jwk(&inner), {"kty": "quantum", "kid": "x"}]}))
}

/// Signs the person in without asking, and sends them back.
async fn authorize(State(state): Shared, Query(query): Query<HashMap<String, String>>) -> Redirect {
    let back = format!("{}?code=c-1&state={}", query["redirect_uri"], query["state"]);
    state.lock().unwrap().asked = query;
    Redirect::to(&back)
}

/// Gives the token of the code to whoever knows the verifier of its challenge.
async fn token(State(state): Shared, body: String) -> Json<Value> {
    let form: HashMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let inner = state.lock().unwrap();
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(form["code_verifier"].as_bytes()));
    assert_eq!((form["code"].as_str(), &challenge), ("c-1", &inner.asked["code_challenge"]));
    let claims = json!({"iss": inner.url, "aud": "console", "sub": "anna", "groups": ["sre"], "exp": 1_800_000_600,
        "nonce": inner.asked["nonce"]});
    let header = Header { kid: Some(inner.key_id.clone()), ..Header::new(Algorithm::ES256) };
    let token = jsonwebtoken::encode(&header, &claims, &inner.key).unwrap();
    Json(json!({"access_token": "opaque", "token_type": "Bearer", "id_token": token}))
}
