//! A deployed stack: its table, and its queues.

use std::fmt;
use std::sync::Arc;

use anyhow::Context as _;
use heal_aws::{QueueUrls, Queues, Session, Store};
use heal_runtime::dispatcher::{self, Dispatcher};
use heal_runtime::port::{OsEntropy, QueueName, SystemClock};

use super::choice::{ENV_QUEUE_URL_PREFIX, Named, Origin, Site};
use crate::{actions, out};

/// A stack, found. Nothing of it has been read but the URL of a queue.
#[derive(Debug)]
pub(crate) struct Stack {
    named: Named,
    pub region: String,
    pub store: Store,
    pub queues: Queues,
}

impl Stack {
    /// Finds the stack, and says which one it is where nobody named it.
    ///
    /// # Errors
    /// There is no such stack, or AWS does not say so to us.
    pub(crate) async fn open(site: &Site) -> anyhow::Result<Self> {
        if site.origin == Origin::LocalStack {
            let at = site.given.endpoint_url.as_deref().unwrap_or_default();
            let name = out::text(site.name());
            out::note(format_args!("local stack {name} at {} ({})", out::text(at), site.origin));
        }
        let session = Session::load(site.given.clone()).await?;
        let (queues, table) = match &site.named {
            Named::Stack(name) => (Queues::of_stack(&session, name).await?, format!("{name}-runs")),
            Named::Parts { table, queue_url_prefix } => {
                let urls = QueueUrls::parse(ENV_QUEUE_URL_PREFIX, queue_url_prefix)?;
                (Queues::new(&session, urls)?, table.clone())
            }
        };
        let store = Store::new(&session, table).context("table")?;
        Ok(Self { named: site.named.clone(), region: session.region().to_owned(), store, queues })
    }

    pub(super) fn reader(&self) -> Dispatcher {
        let ports = dispatcher::Ports {
            runs: Arc::new(self.store.clone()),
            sender: Arc::new(self.queues.clone()),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(OsEntropy),
        };
        Dispatcher::new(ports, Arc::default())
    }

    /// The option that leads another command here; none where variables do.
    pub(crate) fn option(&self) -> String {
        match &self.named {
            Named::Stack(name) => format!("--stack {name}"),
            Named::Parts { .. } => String::new(),
        }
    }

    /// The queues that the engine works on: each action that this program knows has one.
    pub(crate) fn work_queues() -> Vec<QueueName> {
        let of_actions = actions::catalog();
        let of_actions = of_actions.iter().map(|spec| QueueName::Action(spec.name.to_owned()));
        [QueueName::Incidents, QueueName::Results].into_iter().chain(of_actions).collect()
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.named {
            Named::Stack(name) => write!(f, "stack {name} ({})", self.region),
            Named::Parts { table, .. } => write!(f, "the stack of table {table} ({})", self.region),
        }
    }
}
