//! What Amazon API Gateway (HTTP API, payload format 2.0) has attested of a request, before the doors: its caller, and the name and the
//! address that it came by.

use std::net::IpAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::Extensions;
use axum::middleware::{self, Next};
use serde_json::Value;

use crate::caller::{Caller, Role};
use crate::doors::access::Access;
use crate::doors::iam::IamRoles;
use crate::doors::oidc::RoleClaim;
use crate::doors::{GatewayName, Peer, Roleless};

/// Gives roles to the identities that API Gateway attests.
#[derive(Debug, Clone, Default)]
pub struct GatewayRoles {
    iam: IamRoles,
    claim: Option<RoleClaim>,
    /// Of an identity that neither names. `None`: it may do nothing but ask who it is.
    fallback: Option<Role>,
}

impl GatewayRoles {
    /// The roles that the file of identities gives; every other attested identity has the role `fallback`.
    pub fn new(access: &Access, fallback: Option<Role>) -> Self {
        let claim = access.oidc.as_ref().map(|oidc| oidc.roles.clone());
        Self { iam: access.iam.clone(), claim, fallback }
    }

    /// The identity that `authorizer` names, with its role: an IAM principal as `iam:USER_ID`, or the subject of a JWT as `oidc:SUBJECT`.
    /// `None` if it names nobody.
    fn identify(&self, authorizer: &Value) -> Option<(String, Option<Role>)> {
        // `AROA…:session` or `AIDA…`: the same text that SQS attests for the principal's own messages.
        if let Some(id) = text(authorizer.pointer("/iam/userId")) {
            let role = text(authorizer.pointer("/iam/userArn")).and_then(|arn| self.iam.role(arn));
            return Some((format!("iam:{id}"), role.or(self.fallback)));
        }
        let claims = authorizer.pointer("/jwt/claims")?;
        let subject = text(claims.get("sub"))?;
        let role = self.claim.as_ref().and_then(|claim| claim.role(claims));
        Some((format!("oidc:{subject}"), role.or(self.fallback)))
    }
}

/// `router`, whose doors are [`Doors::behind_gateway`](crate::doors::Doors::behind_gateway), behind API Gateway. `context` reads the
/// `requestContext` of a request.
pub fn behind_gateway(router: Router, context: fn(&Extensions) -> Value, roles: GatewayRoles) -> Router {
    router.layer(middleware::from_fn(move |mut request: Request, next: Next| {
        let context = context(request.extensions());
        let attested = context.get("authorizer").and_then(|authorizer| roles.identify(authorizer));
        let extensions = request.extensions_mut();
        match attested {
            Some((identity, Some(role))) => drop(extensions.insert(Caller { identity, role })),
            Some((identity, None)) => drop(extensions.insert(Roleless(identity))),
            None => {}
        }
        if let Some(name) = context.get("domainName").and_then(Value::as_str) {
            extensions.insert(GatewayName(name.to_ascii_lowercase()));
        }
        let source = context.pointer("/http/sourceIp").and_then(Value::as_str);
        if let Some(address) = source.and_then(|text| text.parse::<IpAddr>().ok()) {
            extensions.insert(Peer(address));
        }
        next.run(request)
    }))
}

fn text(value: Option<&Value>) -> Option<&str> {
    value?.as_str().filter(|text| !text.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::json;

    use super::*;

    fn roles(fallback: Option<Role>) -> GatewayRoles {
        let iam = IamRoles(BTreeMap::from([("arn:aws:iam::1:role/ops".to_owned(), Role::Approver)]));
        let map = BTreeMap::from([("sre".to_owned(), Role::Operator)]);
        GatewayRoles { iam, claim: Some(RoleClaim { claim: "groups".to_owned(), map }), fallback }
    }

    #[test]
    fn a_principal_or_a_subject_is_a_caller_and_nothing_else_is() {
        let iam = json!({"iam": {"userId": "AROAEXAMPLE:anna", "accountId": "1", "userArn": "arn:aws:sts::1:assumed-role/ops/anna"}});
        assert_eq!(roles(None).identify(&iam), Some(("iam:AROAEXAMPLE:anna".to_owned(), Some(Role::Approver))));
        let jwt = json!({"jwt": {"claims": {"sub": "anna@example.com", "groups": "[dev sre]"}, "scopes": null}});
        assert_eq!(roles(None).identify(&jwt), Some(("oidc:anna@example.com".to_owned(), Some(Role::Operator))));
        for nobody in
            [json!(null), json!({}), json!({"iam": {"userId": ""}}), json!({"jwt": {"claims": {"name": "anna"}}})]
        {
            assert_eq!(roles(Some(Role::Admin)).identify(&nobody), None, "{nobody}");
        }
    }

    #[test]
    fn an_identity_that_no_map_names_has_the_fallback_role_or_none() {
        let iam = json!({"iam": {"userId": "AIDA", "userArn": "arn:aws:iam::1:user/ben"}});
        let jwt = json!({"jwt": {"claims": {"sub": "ben", "groups": "[dev]"}}});
        for (fallback, authorizer) in
            [(None, &iam), (Some(Role::Viewer), &iam), (None, &jwt), (Some(Role::Viewer), &jwt)]
        {
            assert_eq!(roles(fallback).identify(authorizer).unwrap().1, fallback, "{authorizer}");
        }
    }
}
