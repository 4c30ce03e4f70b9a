//! `/api/v1/dead-letters`: messages that could not be processed.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use heal_runtime::port::DeadLetter;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::cached::tagged;
use crate::caller::Caller;
use crate::extract::{NamePath, Parameters};
use crate::problem::Problem;
use crate::request::Service;
use crate::runs::filter::limit;

/// Dead letters of one answer, unless the reader asks for another number.
const LETTERS: usize = 20;
/// Most dead letters of one answer: a body can have 256 KiB.
const MAX_LETTERS: usize = 100;

/// A message that was delivered too often, or that can never be processed.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DeadLetter)]
pub(crate) struct LetterView {
    /// Names the message.
    message_id: String,
    /// The queue that it was sent to, such as `incidents` or `action-restart_pod`.
    queue: String,
    /// The body as it was sent.
    body: String,
    /// How often it was delivered.
    receive_count: u32,
    /// Why it is dead.
    reason: String,
    /// When it was first sent, in milliseconds since the epoch.
    sent_at: u64,
}

impl From<DeadLetter> for LetterView {
    fn from(letter: DeadLetter) -> Self {
        let DeadLetter { message_id, queue, body, receive_count, reason, sent_at } = letter;
        Self { message_id, queue: queue.to_string(), body, receive_count, reason, sent_at: sent_at.0 }
    }
}

/// Messages that could not be processed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LetterList {
    /// The dead letters, the oldest first.
    dead_letters: Vec<LetterView>,
    /// Whether there are more.
    has_more: bool,
}

/// How many dead letters to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct LetterQuery {
    /// Dead letters of one answer: 1 to 100.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<usize>,
}

/// What became of a dead letter.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PutBack {
    /// The message.
    message_id: String,
    /// What became of it, as a sentence.
    message: String,
}

/// Lists the messages that could not be processed.
#[utoipa::path(get, path = "/api/v1/dead-letters", operation_id = "listDeadLetters", tag = "home", params(LetterQuery),
    responses((status = 200, description = "The dead letters", body = LetterList)))]
pub(crate) async fn list(
    State(service): State<Arc<Service>>,
    Parameters(query): Parameters<LetterQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let limit = limit(query.limit, LETTERS, MAX_LETTERS)?;
    let mut letters = service.dead_letters.list(limit + 1).await?;
    let has_more = letters.len() > limit;
    letters.truncate(limit);
    tagged(&headers, &LetterList { dead_letters: letters.into_iter().map(LetterView::from).collect(), has_more })
}

/// Puts a dead letter back on its queue, where it counts as a new message.
#[utoipa::path(post, path = "/api/v1/dead-letters/{id}/redrive", operation_id = "redriveDeadLetter", tag = "home",
    params(("id" = String, Path, description = "The message's id")),
    responses((status = 200, description = "It is back on its queue", body = PutBack)))]
pub(crate) async fn redrive(
    State(service): State<Arc<Service>>,
    caller: Caller,
    NamePath(message_id): NamePath,
) -> Result<Json<PutBack>, Problem> {
    let moved = service.dead_letters.put_back(&BTreeSet::from([message_id.clone()])).await?;
    if moved.is_empty() {
        return Err(Problem::not_found(format!("there is no dead letter `{message_id}`")));
    }
    let by = &caller.identity;
    tracing::warn!(message_id, by, "a dead letter was put back on its queue");
    Ok(Json(PutBack { message_id, message: "it is back on its queue".to_owned() }))
}
