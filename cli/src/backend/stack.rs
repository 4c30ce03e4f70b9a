//! A deployed stack: its table and its queues.

use std::fmt;

use heal_aws::{QueueUrls, Queues, Session, Store};
use heal_runtime::port::QueueName;
use heal_wiring::Ports;
use heal_wiring::environment::ENV_QUEUE_URL_PREFIX;

use super::resolve::{Origin, StackName, StackRef};
use crate::{actions, out};

/// A stack that exists. Only the URL of a queue has been read so far.
#[derive(Debug)]
pub(crate) struct Stack {
    name: StackName,
    pub region: String,
    pub store: Store,
    pub queues: Queues,
}

impl Stack {
    /// Finds the stack, and prints its name if no option or variable named it.
    ///
    /// # Errors
    /// The stack does not exist, or AWS refuses to say so.
    pub(crate) async fn open(stack: &StackRef) -> anyhow::Result<Self> {
        if stack.origin == Origin::LocalStack {
            let at = stack.overrides.endpoint_url.as_deref().unwrap_or_default();
            let name = out::text(stack.display_name());
            out::note(format_args!("local stack {name} at {} ({})", out::text(at), stack.origin));
        }
        let session = Session::load(stack.overrides.clone()).await?;
        let (queues, table) = match &stack.name {
            StackName::Stack(name) => (Queues::of_stack(&session, name).await?, format!("{name}-runs")),
            StackName::Parts { table, queue_url_prefix } => {
                let urls = QueueUrls::parse(ENV_QUEUE_URL_PREFIX, queue_url_prefix)?;
                (Queues::new(&session, urls)?, table.clone())
            }
        };
        let store = Store::new(&session, table)?;
        Ok(Self { name: stack.name.clone(), region: session.region().to_owned(), store, queues })
    }

    pub(super) fn ports(&self) -> Ports {
        Ports::new(&self.store, &self.queues)
    }

    /// The option that selects this stack in another command; empty if the environment selects it.
    pub(crate) fn option(&self) -> String {
        match &self.name {
            StackName::Stack(name) => format!("--stack {name}"),
            StackName::Parts { .. } => String::new(),
        }
    }

    /// The queues of the engine: incidents, results, and one for each action in this program.
    pub(crate) fn work_queues() -> Vec<QueueName> {
        let of_actions = actions::catalog();
        let of_actions = of_actions.iter().map(|spec| QueueName::Action(spec.name.to_owned()));
        [QueueName::Incidents, QueueName::Results].into_iter().chain(of_actions).collect()
    }
}

impl fmt::Display for Stack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            StackName::Stack(name) => write!(f, "stack {name} ({})", self.region),
            StackName::Parts { table, .. } => write!(f, "the stack of table {table} ({})", self.region),
        }
    }
}
