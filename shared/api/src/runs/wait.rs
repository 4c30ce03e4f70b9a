//! Long poll: a reader waits until a run's log has grown, or the run has ended.

use std::time::Duration;

use heal_engine::{RunId, Seq};
use heal_runtime::port::Standing;
use serde::Deserialize;
use tokio::sync::watch;
use utoipa::IntoParams;

use crate::problem::Problem;
use crate::request::{Service, Waiting};

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
    until(service, run_id, wait, |run| run.last_seq > after || run.is_ended).await
}

/// Waits for the end of a run.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EndQuery {
    /// Seconds to wait for the end of the run: 0 to 20.
    #[serde(default)]
    #[param(minimum = 0, maximum = 20, default = 0)]
    pub wait: u64,
}

/// Returns once the run has ended, or the time is over.
///
/// # Errors
/// As [`for_news`].
pub(crate) async fn for_end(service: &Service, run_id: &RunId, query: EndQuery) -> Result<(), Problem> {
    until(service, run_id, query.wait, |run| run.is_ended).await
}

/// Returns once the run stands where `is_enough`, or after `wait` seconds.
async fn until(
    service: &Service,
    run_id: &RunId,
    wait: u64,
    is_enough: impl Fn(Standing) -> bool,
) -> Result<(), Problem> {
    if wait > WAIT_SECONDS {
        return Err(Problem::field("wait", format!("is {wait}, expected 0 to {WAIT_SECONDS} seconds")));
    }
    if wait == 0 {
        return Ok(());
    }
    let mut follower = Follower::new(&service.waiting, run_id);
    let enough = async {
        loop {
            let head = service.runs.head(run_id).await?.ok_or_else(|| Problem::unknown_run(run_id.as_str()))?;
            if is_enough((&head).into()) || follower.news(&is_enough).await {
                return Ok(());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(wait), enough).await.unwrap_or(Ok(()))
}

/// Follows one run: it sees what is written after it was made.
#[derive(Debug)]
pub(super) struct Follower {
    news: Option<watch::Receiver<Standing>>,
    poll: Duration,
}

impl Follower {
    pub(super) fn new(waiting: &Waiting, run_id: &RunId) -> Self {
        Self { news: waiting.news.as_ref().map(|news| news.follow(run_id)), poll: waiting.poll }
    }

    /// Whether this process has written what `is_enough`; false if that is not known, and to be looked for in the store.
    pub(super) async fn news(&mut self, is_enough: impl Fn(Standing) -> bool) -> bool {
        let news = async {
            let is_told = match &mut self.news {
                Some(news) => news.wait_for(|standing| is_enough(*standing)).await.is_ok(),
                None => false,
            };
            if !is_told {
                std::future::pending::<()>().await;
            }
        };
        tokio::time::timeout(self.poll, news).await.is_ok()
    }
}
