//! `/api/v1/playbooks`: the names, one playbook with its graph, and the lint of a posted one.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use heal_engine::playbook::Playbook;
use heal_engine::{Digest, Plan, limit};
use heal_language::Diagnostic;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::autonomy::unknown_playbook;
use crate::cached::tagged;
use crate::extract::{Body, NamePath};
use crate::problem::Problem;
use crate::renderer;
use crate::request::Service;

/// The name of a posted playbook that has none.
const POSTED: &str = "posted";
/// Faults of one answer.
const FAULTS: usize = 100;

/// The playbooks.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlaybookList {
    /// Their names, in order.
    playbooks: Vec<String>,
}

/// One playbook, as its runs pin it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Playbook)]
pub(crate) struct PlaybookView {
    /// Its name.
    name: String,
    /// SHA-256 of its canonical form, which its runs pin.
    #[schema(value_type = String)]
    digest: Digest,
    /// Its canonical form: every default filled in.
    #[schema(value_type = Object)]
    playbook: Playbook,
    /// The steps, in the plan's order.
    nodes: Vec<Node>,
    /// The order of the steps: `to` starts after `from` has ended.
    edges: Vec<Edge>,
}

/// One step of the graph.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaybookNode)]
pub(crate) struct Node {
    /// The step's name.
    name: String,
    /// The action's name, or `wait`.
    #[serde(rename = "type")]
    kind: String,
    /// Whether it checks that the remedy helped; such steps start after all actions have ended.
    verify: bool,
}

/// One edge of the graph.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PlaybookEdge)]
pub(crate) struct Edge {
    /// The step that ends first.
    from: String,
    /// The step that starts then.
    to: String,
}

/// A playbook to lint.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draft {
    /// Its name: the stem of the file that it would be in.
    name: Option<String>,
    /// The text of the file.
    #[schema(example = "description: Restarts a stuck workflow\nactions: []\n")]
    yaml: String,
}

/// The faults of a playbook.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Lint {
    /// Whether the playbook can be used.
    usable: bool,
    /// The faults, in the order of the text, 100 at most: `{severity, code, message, line, column, span, help}`.
    #[schema(value_type = Vec<Object>)]
    diagnostics: Vec<Diagnostic>,
    /// Further faults.
    omitted: usize,
}

/// Lists the names of the playbooks.
#[utoipa::path(get, path = "/api/v1/playbooks", operation_id = "listPlaybooks", tag = "playbooks",
    responses((status = 200, description = "The names", body = PlaybookList)))]
pub(crate) async fn list(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    let playbooks = service.dispatcher.library().names().map(ToOwned::to_owned).collect();
    tagged(&headers, &PlaybookList { playbooks })
}

/// Shows one playbook as its runs pin it, with its graph.
#[utoipa::path(get, path = "/api/v1/playbooks/{name}", operation_id = "getPlaybook", tag = "playbooks",
    params(("name" = String, Path, description = "The playbook's name", example = "workflow_restart")),
    responses((status = 200, description = "The playbook", body = PlaybookView)))]
pub(crate) async fn one(
    State(service): State<Arc<Service>>,
    NamePath(name): NamePath,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let library = service.dispatcher.library();
    let plan = library.get(&name).map(|entry| &*entry.plan).ok_or_else(|| unknown_playbook(&service, &name))?;
    let (nodes, edges) = graph(plan);
    let view = PlaybookView { name, digest: plan.digest.clone(), playbook: plan.playbook.clone(), nodes, edges };
    tagged(&headers, &view)
}

/// The graph of a plan: its steps, and the order between them.
fn graph(plan: &Plan) -> (Vec<Node>, Vec<Edge>) {
    let node = |(index, step): (u32, &heal_engine::plan::PlannedStep)| Node {
        name: step.spec.name.clone(),
        kind: step.spec.kind.clone(),
        verify: plan.is_verify(index),
    };
    let edges = plan.steps().flat_map(|(_, step)| {
        let to = &step.spec.name;
        step.spec.needs.iter().map(move |from| Edge { from: from.clone(), to: to.clone() })
    });
    (plan.steps().map(node).collect(), edges.collect())
}

/// Finds the faults of a posted playbook, as `heal playbook lint` does. Nothing is stored.
#[utoipa::path(post, path = "/api/v1/playbooks/lint", operation_id = "lintPlaybook", tag = "playbooks", request_body = Draft,
    responses((status = 200, description = "The faults", body = Lint),
        (status = 501, description = "This home has only compiled playbooks; use `heal playbook lint`",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn lint(
    State(service): State<Arc<Service>>,
    Body(Draft { name, yaml }): Body<Draft>,
) -> Result<Json<Lint>, Problem> {
    let Some(catalog) = service.catalog.clone() else {
        let message = "this home has only compiled playbooks and cannot lint one, use `heal playbook lint`";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, message));
    };
    if yaml.len() > limit::PLAYBOOK_BYTES {
        let message = format!("has {} bytes, the limit is {} bytes", yaml.len(), limit::PLAYBOOK_BYTES);
        return Err(Problem::field("yaml", message));
    }
    let lint = move |()| {
        let reading = heal_language::playbook::read(name.as_deref().unwrap_or(POSTED), &yaml, &catalog);
        let (usable, mut diagnostics) = (reading.playbook.is_some(), reading.diagnostics);
        let omitted = diagnostics.len().saturating_sub(FAULTS);
        diagnostics.truncate(FAULTS);
        Ok(Lint { usable, diagnostics, omitted })
    };
    renderer::apart(async { Ok(()) }, lint).await.map(Json)
}
