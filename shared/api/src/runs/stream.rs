//! A run's events as they happen: server-sent events.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::sse::{Event as Sent, KeepAlive, Sse};
use axum::response::{IntoResponse as _, Response};
use futures_util::stream::{self, Stream, StreamExt as _};
use heal_engine::{RunId, Seq};
use serde::Deserialize;
use utoipa::IntoParams;

use super::events::{EventView, newer};
use super::wait::Follower;
use crate::extract::{Parameters, RunPath};
use crate::problem::Problem;
use crate::renderer::apart;
use crate::request::Service;

/// How long one stream lasts; its reader connects again by itself and goes on where it was.
const STREAM_LIFE: Duration = Duration::from_mins(5);
/// How often a comment keeps the connection open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Events that one reader has in memory.
const EVENTS: usize = 2_000;
/// What a reader sends when it connects again.
const LAST_EVENT_ID: &str = "last-event-id";

/// Where a stream begins.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// Only what came after this sequence number. A reader that connects again says it in `Last-Event-ID`, which goes first.
    #[serde(default)]
    #[param(value_type = u64, default = 0)]
    after: Seq,
}

/// Streams the events of a run as server-sent events until it ends: each has its sequence number as id, and the data of `/events`.
#[utoipa::path(get, path = "/api/v1/runs/{id}/stream", operation_id = "streamRun", tag = "runs",
    params(("id" = String, Path, description = "The run's id", example = "run-1"), StreamQuery),
    responses(
        (status = 200, description = "The events, one `run_event` each, then `run_ended`", body = String, content_type = "text/event-stream"),
        (status = 501, description = "This home cannot stream; `/events?wait=` waits for news",
            body = crate::problem::ProblemBody, content_type = "application/problem+json")))]
pub(crate) async fn stream(
    State(service): State<Arc<Service>>,
    RunPath(run_id): RunPath,
    Parameters(query): Parameters<StreamQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    if !service.waiting.streams {
        let message = "this home cannot stream, use /api/v1/runs/{id}/events?wait=SECONDS&after=SEQ";
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, message));
    }
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok()?.parse().ok());
    let after = last.unwrap_or(query.after);
    service.runs.head(&run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    let follower = Follower::new(&service.waiting, &run_id);
    let reader = Reader { service, run_id, follower, after, pending: VecDeque::new(), ended: false };
    let events = reader.events().take_until(Box::pin(tokio::time::sleep(STREAM_LIFE)));
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// The first [`EVENTS`] of these, as they are sent: a reader far behind gets the others with its next reads.
fn sent(events: &[EventView]) -> VecDeque<(Seq, Sent)> {
    let sent = |event: &EventView| {
        let data = serde_json::to_string(event).unwrap_or_default();
        (event.seq, Sent::default().event("run_event").id(event.seq.to_string()).data(data))
    };
    events.iter().take(EVENTS).map(sent).collect()
}

/// Reads a run's log whenever it may have grown.
struct Reader {
    service: Arc<Service>,
    run_id: RunId,
    follower: Follower,
    after: Seq,
    pending: VecDeque<(Seq, Sent)>,
    ended: bool,
}

impl Reader {
    fn events(self) -> impl Stream<Item = Result<Sent, Infallible>> + Send {
        stream::unfold(Some(self), |reader| async move {
            let mut reader = reader?;
            match reader.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(reader))),
                // The reader connects again, and learns then what is wrong.
                Err(_) => None,
                Ok(None) => Some((Ok(Sent::default().event("run_ended").data("{}")), None)),
            }
        })
    }

    /// The next event, once there is one; `None` after the last one of a run that has ended.
    async fn next(&mut self) -> Result<Option<Sent>, Problem> {
        loop {
            if let Some((seq, event)) = self.pending.pop_front() {
                self.after = seq;
                return Ok(Some(event));
            }
            if self.ended {
                return Ok(None);
            }
            let head = self.service.runs.head(&self.run_id).await?;
            let head = head.ok_or_else(|| Problem::unknown_run(self.run_id.as_str()))?;
            self.ended = head.status.is_terminal() && head.last_seq <= self.after;
            if head.last_seq > self.after {
                self.pending =
                    apart(newer(&self.service, &self.run_id, self.after), |events| Ok(sent(&events))).await?;
                // The log was removed meanwhile.
                self.ended |= head.status.is_terminal() && self.pending.is_empty();
            }
            if self.pending.is_empty() && !self.ended {
                let after = self.after;
                self.follower.news(|run| run.last_seq > after || run.is_ended).await;
            }
        }
    }
}
