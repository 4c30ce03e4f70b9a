//! `GET /api/v1/me`: who the caller is.

use axum::{Extension, Json};
use serde::Serialize;
use utoipa::ToSchema;

use crate::caller::{Caller, Role};
use crate::doors::Roleless;
use crate::problem::Problem;

/// An identified caller.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct Me {
    /// As changes are recorded, such as `oidc:anna@example.com` or `iam:AROAEXAMPLE:anna`.
    identity: String,
    /// `viewer`, `operator`, `approver` or `admin`; null for an identity that API Gateway has attested and that has no role: it may call
    /// nothing else.
    #[schema(value_type = Option<String>)]
    role: Option<Role>,
}

/// Says who the caller is, and which role that identity has.
#[utoipa::path(get, path = "/api/v1/me", operation_id = "whoAmI", tag = "home",
    responses((status = 200, description = "The caller", body = Me)))]
pub(crate) async fn me(
    caller: Result<Caller, Problem>,
    roleless: Option<Extension<Roleless>>,
) -> Result<Json<Me>, Problem> {
    match (caller, roleless) {
        (Ok(Caller { identity, role }), _) => Ok(Json(Me { identity, role: Some(role) })),
        (Err(_), Some(Extension(Roleless(identity)))) => Ok(Json(Me { identity, role: None })),
        (Err(nobody), None) => Err(nobody),
    }
}
