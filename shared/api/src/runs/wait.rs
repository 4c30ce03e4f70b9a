//! Long poll: a reader waits until a run's log has grown.

use std::time::Duration;

use heal_engine::{RunId, Seq};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::request::Service;

/// Longest wait of one request, in seconds: a proxy may end one after 30.
pub(crate) const WAIT_SECONDS: u64 = 20;

/// Waits for news of a run.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct WaitQuery {
    /// Only what came after this sequence number.
    #[serde(default)]
    #[param(value_type = u64, default = 0)]
    pub after: Seq,
    /// Seconds to wait for something newer: 0 to 20.
    #[serde(default)]
    #[param(minimum = 0, maximum = 20, default = 0)]
    pub wait: u64,
}

/// Returns once the run's log has more than `query.after`, the run has ended, or the time is over.
///
/// # Errors
/// 404 if the run does not exist, 422 for a longer wait.
pub(crate) async fn for_news(service: &Service, run_id: &RunId, query: WaitQuery) -> Result<(), Problem> {
    let WaitQuery { after, wait } = query;
    if wait > WAIT_SECONDS {
        return Err(Problem::field("wait", format!("is {wait}, expected 0 to {WAIT_SECONDS} seconds")));
    }
    let news = async {
        loop {
            let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
            if wait == 0 || head.last_seq > after || head.status.is_terminal() {
                return Ok(());
            }
            tokio::time::sleep(service.waiting.poll).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(wait.max(1)), news).await.unwrap_or(Ok(()))
}
