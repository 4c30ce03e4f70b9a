//! The caller that Amazon API Gateway has identified.

use axum::Router;
use axum::extract::Request;
use axum::http::{Extensions, Method, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use serde_json::Value;

use crate::caller::{Caller, Role};
use crate::problem::Problem;

/// `router` behind API Gateway: each request has the caller whom `authorizer` reads from it, in the role `role`. A viewer changes nothing.
pub fn behind_gateway(router: Router, authorizer: fn(&Extensions) -> Value, role: Role) -> Router {
    router.layer(middleware::from_fn(move |mut request: Request, next: Next| async move {
        let Some(caller) = Caller::from_gateway(&authorizer(request.extensions()), |_, _| Some(role)) else {
            return Problem::new(StatusCode::UNAUTHORIZED, "the gateway has identified nobody as the caller")
                .into_response();
        };
        let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
        if caller.role < Role::Operator && !reads {
            let message = format!("{} may only read: its role is viewer", caller.identity);
            return Problem::new(StatusCode::FORBIDDEN, message).into_response();
        }
        request.extensions_mut().insert(caller);
        let response: Response = next.run(request).await;
        response
    }))
}

impl Caller {
    /// The caller by the `authorizer` of a request's context (HTTP API, payload format 2.0): an IAM principal as `iam:USER_ID`, or the subject
    /// of a JWT as `oidc:SUBJECT`. `None` if it identifies nobody.
    ///
    /// `role` gives the role of an identity with its claims; without one, the caller is refused.
    pub fn from_gateway(authorizer: &Value, role: impl Fn(&str, &Value) -> Option<Role>) -> Option<Self> {
        let text =
            |value: Option<&Value>| value?.as_str().filter(|text| !text.trim().is_empty()).map(ToOwned::to_owned);
        let claims = authorizer.pointer("/jwt/claims");
        // `AROA…:session` or `AIDA…`: the same text that SQS attests for the principal's own messages.
        let principal = text(authorizer.pointer("/iam/userId")).map(|id| (format!("iam:{id}"), &Value::Null));
        let subject = text(claims.and_then(|claims| claims.get("sub"))).map(|sub| (format!("oidc:{sub}"), claims));
        let (identity, claims) = match (principal, subject) {
            (Some((identity, none)), _) => (identity, none),
            (None, Some((identity, claims))) => (identity, claims?),
            (None, None) => return None,
        };
        let role = role(&identity, claims)?;
        Some(Self { identity, role })
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::get;
    use serde_json::json;
    use tower::ServiceExt as _;

    use super::*;

    fn identity(authorizer: &Value) -> Option<String> {
        Caller::from_gateway(authorizer, |_, _| Some(Role::Viewer)).map(|caller| caller.identity)
    }

    #[test]
    fn a_principal_or_a_subject_is_a_caller_and_nothing_else_is() {
        let iam = json!({"iam": {"userId": "AROAEXAMPLE:anna", "accountId": "1", "userArn": "arn:aws:sts::1:assumed-role/ops/anna"}});
        assert_eq!(identity(&iam).as_deref(), Some("iam:AROAEXAMPLE:anna"));
        let jwt = json!({"jwt": {"claims": {"sub": "anna@example.com", "groups": "[sre]"}, "scopes": null}});
        assert_eq!(identity(&jwt).as_deref(), Some("oidc:anna@example.com"));
        for nobody in
            [json!(null), json!({}), json!({"iam": {"userId": ""}}), json!({"jwt": {"claims": {"name": "anna"}}})]
        {
            assert_eq!(identity(&nobody), None, "{nobody}");
        }
    }

    #[tokio::test]
    async fn behind_the_gateway_nobody_is_refused_and_a_viewer_only_reads() {
        fn anna(_: &Extensions) -> Value {
            json!({"iam": {"userId": "AROA:anna"}})
        }
        let who = async |caller: Caller| caller.identity;
        let routes = || Router::new().route("/x", get(who).post(who));
        let status = async |router: Router, method: &str| {
            let request = Request::builder().method(method).uri("/x").body(Body::empty()).unwrap();
            router.oneshot(request).await.unwrap().status()
        };
        let nobody = behind_gateway(routes(), |_| Value::Null, Role::Admin);
        assert_eq!(status(nobody, "GET").await, StatusCode::UNAUTHORIZED);
        for (role, method, expected) in [
            (Role::Viewer, "GET", StatusCode::OK),
            (Role::Viewer, "POST", StatusCode::FORBIDDEN),
            (Role::Operator, "POST", StatusCode::OK),
        ] {
            assert_eq!(status(behind_gateway(routes(), anna, role), method).await, expected, "{role:?} {method}");
        }
        assert_eq!(status(routes(), "GET").await, StatusCode::UNAUTHORIZED, "no door, no caller");
    }

    #[test]
    fn the_role_follows_from_the_claims_and_none_is_refused() {
        let jwt = json!({"jwt": {"claims": {"sub": "anna", "groups": "[sre]"}}});
        let role = |_: &str, claims: &Value| (claims["groups"] == "[sre]").then_some(Role::Approver);
        assert_eq!(Caller::from_gateway(&jwt, role).map(|caller| caller.role), Some(Role::Approver));
        let other = json!({"jwt": {"claims": {"sub": "anna", "groups": "[dev]"}}});
        assert_eq!(Caller::from_gateway(&other, role), None);
    }
}
