//! The queues of a stack that is known by its name alone.

use heal_runtime::port::QueueName;

use super::{QueueUrls, Queues};
use crate::error::Error;
use crate::session::{Service, Session};

/// What an error about a stack's name calls it.
const FIELD: &str = "stack";
/// Characters of a stack's name (`CloudFormation` API, `CreateStack`).
const MAX_NAME_CHARS: usize = 128;

impl Queues {
    /// Finds the queues of the stack `name` by asking for the URL of its incidents queue.
    ///
    /// # Errors
    /// `Invalid`: it is no stack's name. `NotFound`: there is no such stack in this region, at this endpoint. Whatever else keeps the
    /// question from being answered.
    pub async fn of_stack(session: &Session, name: &str) -> Result<Self, Error> {
        check(name)?;
        let at = session.endpoint_override(Service::Sqs)?.map_or_else(|| "AWS".to_owned(), String::from);
        let what = format!("stack {name} (region {}, endpoint {at})", session.region());
        let incidents = QueueName::Incidents.to_string();
        let queue = format!("{name}-{incidents}");
        let call = super::client(session)?.get_queue_url().queue_name(&queue);
        let found = Box::pin(call.send()).await.map_err(|error| match Error::of_sdk(what.clone(), &error) {
            Error::NotFound { what, .. } => Error::NotFound { what, message: format!("there is no queue {queue}") },
            other @ (Error::Invalid { .. }
            | Error::NoCredentials(_)
            | Error::Denied { .. }
            | Error::Throttled { .. }
            | Error::Unavailable { .. }
            | Error::Refused { .. }
            | Error::Unusable { .. }) => other,
        })?;
        let url = found.queue_url.unwrap_or_default();
        let Some(prefix) = url.strip_suffix(&incidents) else {
            return Err(Error::Unusable { what, problem: format!("the URL of {queue} is {url:?}") });
        };
        Self::new(session, QueueUrls::parse(FIELD, prefix)?)
    }
}

/// The name becomes part of queues' and tables' names.
fn check(name: &str) -> Result<(), Error> {
    let is_name = name.len() <= MAX_NAME_CHARS
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_name {
        return Ok(());
    }
    let problem = format!("{name:?} is no stack's name: a letter, then letters, digits and `-` are needed");
    Err(Error::Invalid { field: FIELD, problem })
}
