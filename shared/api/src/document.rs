//! The OpenAPI 3.1 document of the API, generated from the handlers.

use std::sync::LazyLock;

use axum::http::header;
use axum::response::IntoResponse;
use serde_json::{Value, json};
use utoipa::OpenApi;
use utoipa_axum::router::OpenApiRouter;

use crate::problem::{CONTENT_TYPE, ErrorBody, Fault, ProblemBody};

/// Where the document is.
pub(crate) const PATH: &str = "/openapi.json";

/// The document as it is published: the same bytes for every reader.
static TEXT: LazyLock<String> = LazyLock::new(|| format!("{:#}\n", openapi()));

#[derive(OpenApi)]
#[openapi(
    info(title = "Self-healing engine", description = "Incidents in, safe and proven remedies out. docs/api.md says how to use it.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")),
    components(schemas(ProblemBody, ErrorBody, Fault)),
    tags(
        (name = "remediation", description = "What the platform's other services call"),
        (name = "incidents", description = "Alerts in"),
        (name = "runs", description = "The runs, and changes to them"),
        (name = "people", description = "What waits for people"),
        (name = "brakes", description = "Halts and levels of autonomy"),
        (name = "playbooks", description = "The playbooks"),
        (name = "home", description = "The service itself"),
    )
)]
struct Base;

/// A router without routes.
pub(crate) fn base<S: Send + Sync + Clone + 'static>() -> OpenApiRouter<S> {
    OpenApiRouter::with_openapi(Base::openapi())
}

/// The OpenAPI 3.1 document, as `docs/openapi.json` keeps it.
pub fn openapi() -> Value {
    let (_, document) = crate::routes().split_for_parts();
    let mut document = serde_json::to_value(document).unwrap_or_default();
    let paths = document.get_mut("paths").and_then(Value::as_object_mut);
    for (path, methods) in paths.into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            add_refusals(path, method, operation);
        }
    }
    add_security(&mut document);
    document
}

/// `GET /openapi.json`.
pub(crate) async fn published() -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "application/json")], TEXT.as_str())
}

/// What every operation may answer, and what follows from its path, its parameters and its body.
fn add_refusals(path: &str, method: &str, operation: &mut Value) {
    let is_open = path == "/health" || path == "/metrics";
    let changes = method != "get";
    let has_query = operation
        .get("parameters")
        .and_then(Value::as_array)
        .is_some_and(|parameters| parameters.iter().any(|parameter| parameter.get("in") != Some(&json!("path"))));
    let has_body = operation.get("requestBody").is_some();
    let refusals = [
        (true, 401, "Nobody is identified as the caller"),
        (true, 403, "The caller's role does not allow it, or a rule refuses it"),
        (path.contains('{'), 404, "It does not exist"),
        (true, 408, "The request did not arrive in time"),
        (has_body, 413, "The body is too large"),
        // A probe of `/health` may name any host.
        (path != "/health", 421, "The request names a host that this server does not have"),
        (changes, 415, "The body is not JSON"),
        (has_body || has_query, 422, "Fields are invalid, each named"),
        (true, 429, "Too many requests"),
        (true, 500, "The service failed"),
        (true, 503, "The store is busy; the same request may succeed later"),
    ];
    let Some(responses) = operation.get_mut("responses").and_then(Value::as_object_mut) else { return };
    for (_, status, description) in
        refusals.into_iter().filter(|(applies, status, _)| *applies && !(is_open && *status == 401))
    {
        responses.entry(status.to_string()).or_insert_with(|| {
            let schema = json!({"$ref": "#/components/schemas/Problem"});
            json!({"description": description, "content": {CONTENT_TYPE: {"schema": schema}}})
        });
    }
    if method == "get"
        && path.starts_with("/api/v1/")
        && !path.ends_with("/stream")
        && !path.starts_with("/api/v1/remediation")
    {
        let unchanged = json!({"description": "The reader has this version: its `If-None-Match` names the `ETag`"});
        responses.entry("304").or_insert(unchanged);
    }
}

/// How callers identify themselves.
fn add_security(document: &mut Value) {
    let Some(components) = document.get_mut("components").and_then(Value::as_object_mut) else { return };
    let bearer = json!({"type": "http", "scheme": "bearer", "description": "An OIDC access token, or an API token"});
    components.insert("securitySchemes".to_owned(), json!({"bearer": bearer}));
    if let Some(fields) = document.as_object_mut() {
        // A trial on loopback needs none.
        fields.insert("security".to_owned(), json!([{"bearer": []}, {}]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operations() -> Vec<(String, Value)> {
        let document = openapi();
        let paths = document["paths"].as_object().unwrap().clone();
        let each = |(path, methods): (String, Value)| {
            let methods = methods.as_object().unwrap().clone();
            methods.into_iter().map(move |(method, operation)| (format!("{method} {path}"), operation))
        };
        paths.into_iter().flat_map(each).collect()
    }

    #[test]
    fn every_operation_has_a_name_a_summary_and_says_how_it_fails() {
        let operations = operations();
        assert!(operations.len() >= 30, "{}", operations.len());
        for (name, operation) in &operations {
            for key in ["operationId", "summary", "tags"] {
                assert!(!operation[key].is_null(), "{name} lacks {key}");
            }
            assert!(operation["responses"]["500"].is_object(), "{name}");
            let successes = operation["responses"].as_object().unwrap().keys().filter(|status| status.starts_with('2'));
            assert!(successes.count() > 0, "{name}");
        }
        let mut ids: Vec<_> = operations.iter().map(|(_, operation)| operation["operationId"].to_string()).collect();
        ids.sort();
        let count = ids.len();
        ids.dedup();
        assert_eq!(ids.len(), count, "an operationId is used twice");
    }

    /// `HEAL_GOLDEN=add` writes the file.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test that may write its own file")]
    fn the_repository_keeps_the_document() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/openapi.json");
        if std::env::var("HEAL_GOLDEN").is_ok_and(|value| value == "add") {
            std::fs::write(path, TEXT.as_str()).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == *TEXT, "docs/openapi.json differs from the code; HEAL_GOLDEN=add writes it");
    }
}
