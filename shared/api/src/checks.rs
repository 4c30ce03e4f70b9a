//! `/api/v1/checks`: the scheduled checks with what they have seen.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use heal_engine::check::Check;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::cached::tagged;
use crate::problem::Problem;
use crate::request::Service;

/// One scheduled check.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Check)]
pub(crate) struct CheckView {
    /// Its name.
    name: String,
    /// What it probes, how often, and the incident that it raises.
    #[schema(value_type = Object)]
    check: Check,
    /// What is stored of its probes; null if it has not probed yet.
    #[schema(value_type = Option<Object>)]
    state: Option<Value>,
}

/// The scheduled checks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CheckList {
    /// The checks, in the order of their names.
    checks: Vec<CheckView>,
}

/// Lists the scheduled checks with what they have seen.
#[utoipa::path(get, path = "/api/v1/checks", operation_id = "listChecks", tag = "home",
    responses((status = 200, description = "The checks", body = CheckList)))]
pub(crate) async fn list(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    let mut checks = Vec::new();
    for check in &service.checks {
        let stored = service.check_store.load(&check.name).await?;
        let state = stored.map(|(_, json)| serde_json::from_str(&json).unwrap_or(Value::String(json)));
        checks.push(CheckView { name: check.name.clone(), check: check.clone(), state });
    }
    tagged(&headers, &CheckList { checks })
}
