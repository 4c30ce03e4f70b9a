//! Which role each route needs. A route without a line is refused.

use axum::http::Method;

use super::refusal::{Reason, Refusal};
use crate::caller::{Caller, Role};

/// What a caller needs for a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the route shows nothing of the runs.
    Anyone,
    /// Nothing: the handler decides, by a signature or by the caller, if there is one.
    Handler,
    /// An identity, with a role or without one.
    Known,
    /// This role, or a higher one.
    Role(Role),
    /// Nobody has it: the route has no line.
    Nobody,
}

const ANYONE: Need = Need::Anyone;
const VIEWER: Need = Need::Role(Role::Viewer);
const OPERATOR: Need = Need::Role(Role::Operator);
const APPROVER: Need = Need::Role(Role::Approver);
const ADMIN: Need = Need::Role(Role::Admin);

/// Method, path of the route and need, for every route of the router.
pub const ROUTES: &[(&str, &str, Need)] = &[
    ("GET", "/health", ANYONE),
    ("GET", "/openapi.json", ANYONE),
    ("GET", "/login", ANYONE),
    ("POST", "/login", ANYONE),
    ("GET", "/login/oidc", ANYONE),
    ("GET", "/login/callback", ANYONE),
    ("POST", "/logout", ANYONE),
    // Each source of alerts signs its messages, or has a token; the handler decides.
    ("POST", "/hooks/{source}", Need::Handler),
    ("GET", "/assets/{file}", ANYONE),
    ("GET", "/api/v1/me", Need::Known),
    ("GET", "/", VIEWER),
    ("GET", "/now", VIEWER),
    ("GET", "/runs", VIEWER),
    ("GET", "/runs/{id}", VIEWER),
    ("GET", "/runs/{id}/news", VIEWER),
    ("GET", "/incidents/new", VIEWER),
    ("GET", "/playbooks", VIEWER),
    ("GET", "/playbooks/{name}", VIEWER),
    ("GET", "/checks", VIEWER),
    ("GET", "/guardrails", VIEWER),
    ("GET", "/dead-letters", VIEWER),
    ("GET", "/metrics", VIEWER),
    ("GET", "/api/v1/approvals", VIEWER),
    ("GET", "/api/v1/autonomy", VIEWER),
    ("GET", "/api/v1/checks", VIEWER),
    ("GET", "/api/v1/dead-letters", VIEWER),
    ("GET", "/api/v1/escalations", VIEWER),
    ("GET", "/api/v1/follow-ups", VIEWER),
    ("GET", "/api/v1/halts", VIEWER),
    ("GET", "/api/v1/playbooks", VIEWER),
    ("GET", "/api/v1/playbooks/{name}", VIEWER),
    ("GET", "/api/v1/remediation/{id}/status", VIEWER),
    ("GET", "/api/v1/runs", VIEWER),
    ("GET", "/api/v1/runs/{id}", VIEWER),
    ("GET", "/api/v1/runs/{id}/events", VIEWER),
    ("GET", "/api/v1/runs/{id}/explanation", VIEWER),
    ("GET", "/api/v1/runs/{id}/stream", VIEWER),
    ("POST", "/api/v1/playbooks/lint", VIEWER),
    ("POST", "/api/v1/follow-ups/{id}/done", OPERATOR),
    ("POST", "/api/v1/halts", OPERATOR),
    ("DELETE", "/api/v1/halts/{id}", OPERATOR),
    ("POST", "/api/v1/incidents", OPERATOR),
    ("POST", "/api/v1/remediation/execute", OPERATOR),
    ("POST", "/api/v1/remediation/{id}/cancel", OPERATOR),
    ("POST", "/api/v1/runs/{id}/cancel", OPERATOR),
    ("POST", "/api/v1/runs/{id}/hold", OPERATOR),
    ("POST", "/api/v1/runs/{id}/release", OPERATOR),
    ("POST", "/api/v1/escalations/{id}/acknowledge", APPROVER),
    ("POST", "/api/v1/remediation/{id}/approve", APPROVER),
    ("POST", "/api/v1/runs/{id}/approve", APPROVER),
    ("POST", "/api/v1/runs/{id}/reject", APPROVER),
    ("PUT", "/api/v1/autonomy/{playbook}", ADMIN),
    ("POST", "/api/v1/dead-letters/{id}/redrive", ADMIN),
];

/// What a request needs; `path` is the path of its route, and `None` if it has none.
pub(super) fn need(method: &Method, path: Option<&str>) -> Need {
    let Some(path) = path else { return VIEWER };
    // A `HEAD` is answered by the route of `GET`, without a body.
    let method = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut lines = ROUTES.iter().filter(|(_, pattern, _)| *pattern == path).peekable();
    if lines.peek().is_none() {
        return Need::Nobody;
    }
    // Another method gets 405 from the router.
    lines.find(|(known, ..)| *known == method).map_or(VIEWER, |(.., need)| *need)
}

/// Whether the route of `path` has a line for `method`.
pub(super) fn has_route(method: &Method, path: Option<&str>) -> bool {
    ROUTES.iter().any(|(known, pattern, _)| Some(*pattern) == path && *known == method.as_str())
}

pub(super) fn check(need: Need, caller: Option<&Caller>) -> Result<(), Refusal> {
    let role = match need {
        Need::Anyone | Need::Handler => return Ok(()),
        Need::Nobody => return Err(Refusal::new(Reason::Role, "no role may use this path")),
        Need::Known => Role::Viewer,
        Need::Role(role) => role,
    };
    let Some(caller) = caller else {
        let message =
            "nobody is identified as the caller; send an API token or an OIDC token as `Authorization: Bearer …`";
        return Err(Refusal::new(Reason::NoIdentity, message));
    };
    if caller.role < role {
        let Caller { identity, role: own } = caller;
        let message = format!("{identity} has the role {}, and this needs {}", own.as_str(), role.as_str());
        return Err(Refusal::new(Reason::Role, message));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// Routes that the API's document leaves out.
    const OTHERS: [&str; 5] = ["/openapi.json", "/login", "/login/oidc", "/login/callback", "/logout"];

    #[test]
    fn every_route_of_the_api_has_a_line_and_every_line_a_route() {
        let document = crate::openapi();
        let routes: BTreeSet<(String, String)> = document["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, methods)| {
                methods.as_object().unwrap().keys().map(|method| (method.to_uppercase(), path.clone()))
            })
            .collect();
        let is_other = |path: &str| OTHERS.contains(&path) || crate::console::PATHS.contains(&path);
        let lines = ROUTES.iter().filter(|(_, path, _)| !is_other(path));
        let lines: BTreeSet<_> = lines.map(|(method, path, _)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(lines, routes);
    }

    #[test]
    fn whatever_changes_something_needs_more_than_a_viewer() {
        let is_other = |path: &str| OTHERS.contains(&path) || path == "/hooks/{source}";
        for (method, path, need) in ROUTES.iter().filter(|(method, path, _)| *method != "GET" && !is_other(path)) {
            let is_lint = *path == "/api/v1/playbooks/lint";
            assert!(is_lint || matches!(need, Need::Role(role) if *role > Role::Viewer), "{method} {path}");
        }
    }

    #[test]
    fn every_page_of_the_console_has_a_line() {
        for page in crate::console::PATHS {
            assert!(ROUTES.iter().any(|(method, path, _)| *method == "GET" && *path == page), "{page}");
        }
    }

    #[test]
    fn a_route_without_a_line_is_refused_for_everybody() {
        let admin = Caller { identity: "token:root".to_owned(), role: Role::Admin };
        let need = need(&Method::GET, Some("/api/v1/forgotten"));
        assert_eq!(check(need, Some(&admin)).map_err(|refusal| refusal.reason), Err(Reason::Role));
    }

    #[test]
    fn a_role_may_do_what_those_before_it_may() {
        let caller = |role| Caller { identity: "token:x".to_owned(), role };
        let roles = [Role::Viewer, Role::Operator, Role::Approver, Role::Admin];
        for (index, needed) in roles.into_iter().enumerate() {
            for (other, own) in roles.into_iter().enumerate() {
                assert_eq!(check(Need::Role(needed), Some(&caller(own))).is_ok(), other >= index, "{own:?} {needed:?}");
            }
        }
        let nobody = check(Need::Role(Role::Viewer), None).map_err(|refusal| refusal.reason);
        assert_eq!(nobody, Err(Reason::NoIdentity));
    }
}
