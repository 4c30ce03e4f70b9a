//! The stack that other commands would work on: what leads there, and whether its table and queues answer.

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use heal_aws::Queues;
use heal_clients::config::{Env, Strings as _};
use heal_runtime::RunId;
use heal_runtime::port::{BackendError, QueueName, Result, RunReader as _};

use super::{Check, Variable};
use crate::out;
use crate::place::{Choice, ENV_QUEUE_URL_PREFIX, ENV_STACK, ENV_TABLE, Named, Site, Stack};

/// Names a run that nobody has: that it is not there is an answer.
const NOBODY: &str = "heal-doctor-probe";
/// Queues that are asked at the same time.
const QUEUES_AT_ONCE: usize = 8;
const PURPOSES: [(&str, &str); 3] = [
    (ENV_STACK, "Name of the deployed stack that runs, incident and dlq work on."),
    (ENV_TABLE, "Table of a stack that is named by its parts."),
    (ENV_QUEUE_URL_PREFIX, "What the URLs of its queues begin with."),
];

/// The variables that name a stack, with what they name now.
pub(super) fn variables(choice: &Choice) -> Vec<Variable> {
    let named = match choice {
        Choice::Stack(Site { named: Named::Stack(name), origin, .. }) => vec![(ENV_STACK, name, origin)],
        Choice::Stack(Site { named: Named::Parts { table, queue_url_prefix }, origin, .. }) => {
            vec![(ENV_TABLE, table, origin), (ENV_QUEUE_URL_PREFIX, queue_url_prefix, origin)]
        }
        Choice::File(_) => Vec::new(),
    };
    let variable = |(name, purpose): (&'static str, &'static str)| {
        let used = named.iter().find(|(of, _, _)| *of == name);
        let (value, source) = match used {
            Some((_, value, origin)) => (Some((*value).clone()), origin.to_string()),
            // It may be set, and something else go before it.
            None => match Env.get(name).ok().flatten().filter(|value| !value.is_empty()) {
                Some(value) => (Some(value), "environment, not used".to_owned()),
                None => (None, "default".to_owned()),
            },
        };
        Variable { name, value, source, purpose, problem: None }
    };
    PURPOSES.into_iter().map(variable).collect()
}

/// Tries the table, every queue and its dead-letter queue.
pub(super) async fn check(site: &Site) -> Vec<Check> {
    let stack = match Stack::open(site).await {
        Ok(stack) => stack,
        Err(error) => return vec![Check::new("stack", site.name(), Err(format!("{error:#}")))],
    };
    let (table, queues) = tokio::join!(table(&stack), queues(&stack));
    vec![table, queues]
}

async fn table(stack: &Stack) -> Check {
    let answer = stack.store.head(&RunId::new(NOBODY)).await;
    let said = answer.map(|_| "can be read".to_owned()).map_err(|error| error.to_string());
    Check::new("table", format!("{} ({})", stack.store.table(), stack.region), said)
}

async fn queues(stack: &Stack) -> Check {
    let queues = &stack.queues;
    let work = Stack::work_queues();
    let asked = stream::iter(&work).map(|queue| depths(queues, queue)).buffered(QUEUES_AT_ONCE);
    let said = async {
        let depths: Vec<[u64; 2]> = asked.try_collect().await?;
        let parked = queues.depth(&queues.urls().parked()).await?;
        let waiting: u64 = depths.iter().map(|[waiting, _]| waiting).sum();
        let dead: u64 = depths.iter().map(|[_, dead]| dead).sum::<u64>() + parked;
        let queues = out::plural(work.len(), "queue");
        Ok::<_, BackendError>(format!("{queues}, messages on them: {waiting}, dead letters: {dead}"))
    };
    Check::new("queues", format!("{}…", queues.urls().prefix()), said.await.map_err(|error| error.to_string()))
}

async fn depths(queues: &Queues, queue: &QueueName) -> Result<[u64; 2]> {
    let urls = queues.urls();
    let (of_queue, of_dead) = (urls.url_of(queue), urls.dead_letter_url_of(queue));
    let (waiting, dead) = tokio::try_join!(queues.depth(&of_queue), queues.depth(&of_dead))?;
    Ok([waiting, dead])
}
