//! Error responses of the API: `Status` objects.

use http::StatusCode;
use serde_json::{Value, json};

/// An error response.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    code: StatusCode,
    reason: &'static str,
    message: String,
    details: Value,
}

impl Failure {
    pub(super) fn not_found(name: &str) -> Self {
        Self {
            code: StatusCode::NOT_FOUND,
            reason: "NotFound",
            message: format!("pods \"{name}\" not found"),
            details: json!({"name": name, "kind": "pods"}),
        }
    }

    /// A precondition of a deletion failed; `field` is `UID` or `ResourceVersion`.
    pub(super) fn conflict(name: &str, field: &str, wanted: &str, found: &str) -> Self {
        Self {
            code: StatusCode::CONFLICT,
            reason: "Conflict",
            message: format!(
                "Operation cannot be fulfilled on Pod \"{name}\": Precondition failed: \
                 {field} in precondition: {wanted}, {field} in object meta: {found}"
            ),
            details: json!({"name": name, "kind": "Pod"}),
        }
    }

    pub(super) fn bad_request(message: String) -> Self {
        Self { code: StatusCode::BAD_REQUEST, reason: "BadRequest", message, details: json!({}) }
    }

    pub(super) fn method_not_allowed() -> Self {
        Self {
            code: StatusCode::METHOD_NOT_ALLOWED,
            reason: "MethodNotAllowed",
            message: "the server does not allow this method on the requested resource".to_owned(),
            details: json!({}),
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.code
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.code.as_u16(),
        })
    }
}
