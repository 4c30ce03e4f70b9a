//! Whether the table and the queues of the stack answer.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_aws::Queues;
use heal_runtime::RunId;
use heal_runtime::port::{BackendError, QueueName, Result, RunReader as _};

use super::findings::Check;
use crate::backend::{Stack, StackRef};
use crate::out;

/// A run that does not exist: "not found" is an answer too.
const NO_RUN: &str = "heal-doctor-probe";
/// Queues that are queried at the same time.
const QUEUES_AT_ONCE: usize = 8;

/// Tries the table, every queue and its dead-letter queue.
pub(super) async fn check(stack: &StackRef) -> Vec<Check> {
    let name = stack.display_name();
    let stack = match Stack::open(stack).await {
        Ok(stack) => stack,
        Err(error) => return vec![Check::new("stack", name, Err(format!("{error:#}")))],
    };
    let (table, queues) = tokio::join!(table(&stack), queues(&stack));
    vec![table, queues]
}

async fn table(stack: &Stack) -> Check {
    let head = stack.store.head(&RunId::new(NO_RUN)).await;
    let detail = head.map(|_| "can be read".to_owned()).map_err(|error| error.to_string());
    Check::new("table", format!("{} ({})", stack.store.table(), stack.region), detail)
}

async fn queues(stack: &Stack) -> Check {
    let queues = &stack.queues;
    let work = Stack::work_queues();
    let depths = stream::iter(&work).map(|queue| depths(queues, queue)).buffered(QUEUES_AT_ONCE);
    let detail = async {
        let depths: Vec<[u64; 2]> = depths.try_collect().await?;
        let parked = queues.depth(&queues.urls().parked()).await?;
        let waiting: u64 = depths.iter().map(|[waiting, _]| waiting).sum();
        let dead: u64 = depths.iter().map(|[_, dead]| dead).sum::<u64>() + parked;
        let queues = out::plural(work.len(), "queue");
        Ok::<_, BackendError>(format!("{queues}, messages on them: {waiting}, dead letters: {dead}"))
    };
    Check::new("queues", format!("{}…", queues.urls().prefix()), detail.await.map_err(|error| error.to_string()))
}

async fn depths(queues: &Queues, queue: &QueueName) -> Result<[u64; 2]> {
    let urls = queues.urls();
    let (queue_url, dead_url) = (urls.url_of(queue), urls.dead_letter_url_of(queue));
    let (waiting, dead) = tokio::try_join!(queues.depth(&queue_url), queues.depth(&dead_url))?;
    Ok([waiting, dead])
}
