//! A webhook's receiver.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::Value;

/// Keeps the ids of the notices that it took, each with how often.
#[derive(Clone, Default)]
pub(crate) struct Receiver {
    told: Arc<Mutex<BTreeMap<String, u32>>>,
    bodies: Arc<Mutex<Vec<String>>>,
    pub url: String,
}

impl Receiver {
    /// Answers each notice after `delay`. A long one makes it likely that a kill comes while the sender waits.
    pub(crate) async fn start(delay: Duration) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self { url: format!("http://{}", listener.local_addr().unwrap()), ..Self::default() };
        let take = move |State(receiver): State<Self>, body: String| async move {
            let event: Value = serde_json::from_str(&body).unwrap();
            receiver.bodies.lock().unwrap().push(body);
            let id = event["id"].as_str().unwrap().to_owned();
            *receiver.told.lock().unwrap().entry(id).or_default() += 1;
            tokio::time::sleep(delay).await;
            StatusCode::NO_CONTENT
        };
        let router = Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        receiver
    }

    pub(crate) fn told(&self) -> BTreeMap<String, u32> {
        self.told.lock().unwrap().clone()
    }

    /// Every notice, as it came.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.bodies.lock().unwrap().clone()
    }

    /// `notify.yaml` with one route, for everything, to this receiver.
    pub(crate) fn is_told_of_everything(&self) -> String {
        format!("channels: {{hook: {{type: webhook, url: \"{}\"}}}}\nroutes: [{{to: hook}}]\n", self.url)
    }
}
