//! Finds a stack's queues by the stack's name.

use heal_runtime::port::QueueName;

use super::{QueueUrls, Queues};
use crate::error::Error;
use crate::session::{Service, Session};

/// The field name in errors about a stack's name.
const FIELD: &str = "stack";
/// Characters of a stack's name (`CloudFormation` API, `CreateStack`).
const MAX_NAME_CHARS: usize = 128;

impl Queues {
    /// Finds the queues of the stack `name` by asking for the URL of its incidents queue.
    ///
    /// # Errors
    /// [`Error::Invalid`]: not a stack's name. [`Error::NotFound`]: no such stack in this region, at this endpoint. Any other error of the
    /// call.
    pub async fn of_stack(session: &Session, name: &str) -> Result<Self, Error> {
        check(name)?;
        let at = session.endpoint_override(Service::Sqs)?.map_or_else(|| "AWS".to_owned(), String::from);
        let what = format!("stack {name} (region {}, endpoint {at})", session.region());
        let incidents = QueueName::Incidents.to_string();
        let queue = format!("{name}-{incidents}");
        let call = super::client(session)?.get_queue_url().queue_name(&queue);
        let found = Box::pin(call.send()).await.map_err(|error| match Error::from_sdk(what.clone(), &error) {
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

/// Checks the name, which becomes part of the names of queues and tables.
fn check(name: &str) -> Result<(), Error> {
    let is_name = name.len() <= MAX_NAME_CHARS
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if is_name {
        return Ok(());
    }
    let problem = format!("{name:?} is not a stack's name; expected a letter, then letters, digits and `-`");
    Err(Error::Invalid { field: FIELD, problem })
}
