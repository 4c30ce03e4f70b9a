//! `/api/v1/autonomy`: how far the engine may go alone with a playbook.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use heal_engine::autonomy::AutonomyLevel;
use heal_engine::suggest;
use heal_guard::{AutonomyChange, AutonomySetting};
use heal_runtime::port::{AutonomyStore, BackendError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cached::tagged;
use crate::caller::Caller;
use crate::extract::{Body, NamePath, text};
use crate::problem::Problem;
use crate::request::Service;

/// Tries to set a level that others set at the same time.
const TRIES: usize = 5;

/// The level of one playbook.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AutonomySetting)]
pub(crate) struct SettingView {
    /// The playbook's name.
    playbook: String,
    /// `off`, `shadow`, `approve` or `auto`.
    #[schema(value_type = String, example = "shadow")]
    level: AutonomyLevel,
    /// The identity of who set it.
    by: String,
    /// Why.
    reason: String,
    /// When it was set, in milliseconds since the epoch.
    since: u64,
    /// The levels before it, the newest first: `{level, by, reason, since}`.
    #[schema(value_type = Vec<Object>)]
    history: Vec<AutonomyChange>,
}

impl From<AutonomySetting> for SettingView {
    fn from(setting: AutonomySetting) -> Self {
        let AutonomySetting { playbook, level, by, reason, since, history } = setting;
        Self { playbook, level, by, reason, since: since.0, history }
    }
}

/// The levels that people have set.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SettingList {
    /// One entry a playbook; every other one is as the guardrails say.
    autonomy: Vec<SettingView>,
}

/// The level that a playbook gets.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSetting {
    /// `off`, `shadow`, `approve` or `auto`.
    #[schema(value_type = String, example = "shadow")]
    level: AutonomyLevel,
    /// Why; the record of each run has it.
    reason: String,
}

/// Lists the levels that people have set.
#[utoipa::path(get, path = "/api/v1/autonomy", operation_id = "listAutonomy", tag = "brakes",
    responses((status = 200, description = "The levels", body = SettingList)))]
pub(crate) async fn list(State(service): State<Arc<Service>>, headers: HeaderMap) -> Result<Response, Problem> {
    let settings = service.autonomy.settings().await?;
    tagged(&headers, &SettingList { autonomy: settings.into_iter().map(SettingView::from).collect() })
}

/// Sets how far the engine may go alone with a playbook, from its next incident on. Of this level and that of the guardrails the stricter counts.
#[utoipa::path(put, path = "/api/v1/autonomy/{playbook}", operation_id = "setAutonomy", tag = "brakes",
    params(("playbook" = String, Path, description = "The playbook's name", example = "workflow_restart")), request_body = NewSetting,
    responses((status = 200, description = "The level is set", body = SettingView)))]
pub(crate) async fn set(
    State(service): State<Arc<Service>>,
    caller: Caller,
    NamePath(playbook): NamePath,
    Body(NewSetting { level, reason }): Body<NewSetting>,
) -> Result<Json<SettingView>, Problem> {
    let library = service.dispatcher.library();
    // A level for a playbook that does not exist would hold nothing back.
    if library.get(&playbook).is_none() {
        return Err(unknown_playbook(&service, &playbook));
    }
    let reason = text("reason", &reason)?;
    let (by, since) = (caller.identity, service.dispatcher.now());
    let setting = AutonomySetting { playbook, level, by, reason, since, history: Vec::new() };
    let Some((setting, _)) = put(&*service.autonomy, setting).await? else {
        return Err(Problem::new(StatusCode::CONFLICT, "others set the level at the same time, try again"));
    };
    let AutonomySetting { playbook, level, by, .. } = &setting;
    tracing::warn!(playbook, %level, by, "a level of autonomy was set");
    Ok(Json(setting.into()))
}

/// Stores a level with those before it; returns it as stored, and the one before it. `None`: others set the level at the same time, again and again.
///
/// # Errors
/// The level cannot be read or written.
pub async fn put(
    store: &dyn AutonomyStore,
    setting: AutonomySetting,
) -> Result<Option<(AutonomySetting, Option<AutonomySetting>)>, BackendError> {
    for _ in 0..TRIES {
        let before = store.setting(&setting.playbook).await?;
        let next = setting.clone().after(before.clone());
        if store.replace(&next, before.as_ref().map(|before| before.since)).await? {
            return Ok(Some((next, before)));
        }
    }
    Ok(None)
}

/// 404, with the name that was perhaps meant.
pub(crate) fn unknown_playbook(service: &Service, name: &str) -> Problem {
    let meant = suggest::closest(name, service.dispatcher.library().names());
    let meant = meant.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default();
    Problem::not_found(format!("there is no playbook `{name}`{meant}"))
}
