//! What comes on the results queue: everything that is about a run that exists.

use heal_engine::turn::Input;
use heal_engine::{RunId, message::ActionResult};
use serde::{Deserialize, Serialize};

use super::{DispatchError, Dispatcher, Taken};

/// The body of a message on the results queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Inbound {
    Result(Box<ActionResult>),
    Wake { run_id: RunId },
    Approve { run_id: RunId, by: String },
    Cancel { run_id: RunId, by: String },
}

/// A body that is none of these.
#[derive(Debug, thiserror::Error)]
#[error("message on the results queue cannot be read: {0}")]
pub struct InboundError(#[from] serde_json::Error);

impl Inbound {
    /// # Errors
    /// The body is no such message; the error names line and column.
    pub fn parse(body: &str) -> Result<Self, InboundError> {
        Ok(serde_json::from_str(body)?)
    }

    pub fn to_body(&self) -> String {
        // Plain data with text keys cannot fail to serialize.
        serde_json::to_string(self).unwrap_or_default()
    }

    pub const fn run_id(&self) -> &RunId {
        match self {
            Self::Result(result) => &result.run_id,
            Self::Wake { run_id } | Self::Approve { run_id, .. } | Self::Cancel { run_id, .. } => run_id,
        }
    }

    fn into_input(self) -> Input {
        match self {
            Self::Result(result) => Input::Result(result),
            Self::Wake { .. } => Input::Wake,
            Self::Approve { by, .. } => Input::Approved { by },
            Self::Cancel { by, .. } => Input::CancelRequested { by },
        }
    }
}

impl Dispatcher {
    /// Takes messages of one run as one turn. `cause_id` names the first of them, and is the same when they come again.
    ///
    /// # Errors
    /// As [`Dispatcher::take`].
    pub async fn receive(
        &self,
        run_id: &RunId,
        cause_id: &str,
        messages: Vec<Inbound>,
    ) -> Result<Taken, DispatchError> {
        let inputs: Vec<_> = messages.into_iter().map(Inbound::into_input).collect();
        self.take(run_id, cause_id, &inputs).await
    }
}
