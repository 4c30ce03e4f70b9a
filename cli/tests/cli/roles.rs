//! Every change with every role: a table, over HTTP, and what a refused person reads.

use heal_api::doors::ROUTES;
use heal_sandbox::Seed;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::support::{Serve, answer, env, heal, http, path, platform, playbooks};

const ROLES: [&str; 4] = ["viewer", "operator", "approver", "admin"];

/// Method, route, an address of it, and the least role. The addresses name nothing that exists, so that nothing is changed by anybody.
const CHANGES: [(&str, &str, &str, &str); 17] = [
    ("POST", "/api/v1/runs/{id}/approve", "/api/v1/runs/run-none/approve", "approver"),
    ("POST", "/api/v1/runs/{id}/reject", "/api/v1/runs/run-none/reject", "approver"),
    ("POST", "/api/v1/runs/{id}/hold", "/api/v1/runs/run-none/hold", "operator"),
    ("POST", "/api/v1/runs/{id}/release", "/api/v1/runs/run-none/release", "operator"),
    ("POST", "/api/v1/runs/{id}/cancel", "/api/v1/runs/run-none/cancel", "operator"),
    ("POST", "/api/v1/remediation/execute", "/api/v1/remediation/execute", "operator"),
    ("POST", "/api/v1/remediation/{id}/cancel", "/api/v1/remediation/run-none/cancel", "operator"),
    ("POST", "/api/v1/remediation/{id}/approve", "/api/v1/remediation/run-none/approve", "approver"),
    ("POST", "/api/v1/halts", "/api/v1/halts", "operator"),
    ("DELETE", "/api/v1/halts/{id}", "/api/v1/halts/halt-none", "operator"),
    ("PUT", "/api/v1/autonomy/{playbook}", "/api/v1/autonomy/none", "admin"),
    ("POST", "/api/v1/incidents", "/api/v1/incidents", "operator"),
    ("POST", "/api/v1/follow-ups/{id}/done", "/api/v1/follow-ups/none/done", "operator"),
    ("POST", "/api/v1/escalations/{id}/acknowledge", "/api/v1/escalations/run-none/acknowledge", "approver"),
    ("POST", "/api/v1/dead-letters/{id}/redrive", "/api/v1/dead-letters/none/redrive", "admin"),
    ("POST", "/api/v1/playbooks/lint", "/api/v1/playbooks/lint", "viewer"),
    ("POST", "/hooks/{source}", "/hooks/none", "the sender's signature"),
];

#[test]
fn the_table_has_every_change_of_the_api() {
    let signs_in = |path: &str| matches!(path, "/login/token" | "/logout");
    let changes = ROUTES.iter().filter(|(method, path, _)| *method != "GET" && !signs_in(path));
    for (method, path, _) in changes {
        assert!(CHANGES.iter().any(|(known, route, ..)| known == method && route == path), "{method} {path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_change_is_open_to_its_role_and_those_above_and_refused_to_the_others_with_the_reason() {
    let platform = platform(Seed::healthy_worker());
    let folder = playbooks(&[("short.yaml", "actions:\n  - {type: wait, parameters: {seconds: 1}}\n")]);
    let access = tempfile::tempdir().unwrap();
    let (file, tokens) = (access.path().join("api.yaml"), access.path().join("tokens.json"));
    std::fs::write(&file, "tokens: tokens.json\n").unwrap();
    let secrets = ROLES.map(|role| {
        let created = heal(&["token", "create", role, "--role", role, "--tokens", path(&tokens)]).exits(0).stdout;
        created.trim().to_owned()
    });
    let mut variables = env(&platform);
    variables.push(("HEAL_API".to_owned(), path(&file).to_owned()));
    let serve = Serve::start(&access.path().join("state.db"), folder.path(), &variables);
    let send = async |method: &str, path: &str, token: Option<&str>| -> (u16, Value) {
        let request = http().request(method.parse().unwrap(), format!("{}{path}", serve.url)).json(&json!({}));
        let request = token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth);
        answer(request.send().await.unwrap()).await
    };
    let (mut refused, mut unknown) = (0, 0);
    for (method, _, path, least) in CHANGES {
        let Some(least_rank) = ROLES.iter().position(|role| *role == least) else { continue };
        let (status, body) = send(method, path, None).await;
        assert_eq!(status, 401, "{method} {path}: {body}");
        unknown += 1;
        for (rank, (role, token)) in ROLES.iter().zip(&secrets).enumerate() {
            let (status, body) = send(method, path, Some(token)).await;
            if rank < least_rank {
                assert_eq!(status, 403, "{role} {method} {path}: {body}");
                let reason = format!("token:{role} has the role {role}, and this needs {least}");
                assert_eq!(body["detail"], reason, "{method} {path}");
                refused += 1;
            } else {
                assert!(![401, 403, 415].contains(&status) && status < 500, "{role} {method} {path}: {status} {body}");
            }
        }
    }
    assert!(refused >= 20, "{refused}");

    let metrics = http().get(format!("{}/metrics", serve.url)).bearer_auth(&secrets[0]).send().await.unwrap();
    assert_eq!(metrics.status(), StatusCode::OK);
    let metrics = metrics.text().await.unwrap();
    for (reason, count) in [("role", refused), ("no_identity", unknown)] {
        let line = metrics.lines().find(|line| {
            line.starts_with("self_healing_api_refused_total") && line.contains(&format!("reason=\"{reason}\""))
        });
        assert!(line.is_some_and(|line| line.ends_with(&format!(" {count}"))), "{reason} {count}: {line:?}");
    }
}
