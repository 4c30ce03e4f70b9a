//! Answers that are made of a run's report.

use std::sync::Arc;

use heal_engine::event::Commit;
use heal_engine::report::{self, Report};
use heal_engine::{Plan, RunId};
use heal_runtime::dispatcher::DispatchError;
use heal_runtime::port::RunHead;
use serde::Serialize;

use crate::cached::Tagged;
use crate::problem::Problem;
use crate::renderer::{Key, Renderer};
use crate::request::Service;

/// What `show` makes of a run's head and report; `kind` names the answer among those that are kept.
///
/// # Errors
/// The run is not known, or its log cannot be read.
pub(crate) async fn reported<T: Serialize>(
    service: &Service,
    renderer: &Renderer,
    kind: &'static str,
    run_id: &RunId,
    show: impl FnOnce(RunHead, Report) -> T + Send + 'static,
) -> Result<Tagged, Problem> {
    let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
    let (run_id, started_at, seq) = (run_id.clone(), head.started_at, head.last_seq);
    let key = Key { kind, run_id: run_id.clone(), started_at, seq, part: String::new() };
    let read = async { Ok(service.dispatcher.read(&run_id).await?) };
    let render = move |(plan, commits): (Option<Arc<Plan>>, Vec<Commit>)| {
        let report = report::report(plan.as_deref(), &head.run_id, &commits)
            .map_err(|cause| DispatchError::Log { run_id: head.run_id.clone(), cause })?;
        Ok(show(head, report))
    };
    renderer.answer(key, read, render).await
}
