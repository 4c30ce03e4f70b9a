//! The messages between functions: bodies on the results queue, and a run's commands as messages.

use std::collections::BTreeMap;

use heal_engine::format::{self, Format};
use heal_engine::id::Digest;
use heal_engine::message::{ActionResult, LateCommand};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{Command, RunId, State, Timestamp};
use serde::{Deserialize, Serialize};

use crate::port::{Message, QueueName};

/// The longest delay of one message, in milliseconds: that of SQS. The sweep finds later moments.
const DELAY_MS: u64 = 900_000;

/// The body of a message on the results queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Inbound {
    /// An action's answer to a command.
    Result(Box<ActionResult>),
    /// A worker's answer to a command that it took too late to start: nothing was done. New in version 2.
    Late(Box<LateCommand>),
    /// Continue the run: a deadline or a wait may have ended, or a message may have been lost.
    Wake {
        /// The run.
        run_id: RunId,
    },
    /// A person approves the run.
    Approve {
        /// The run.
        run_id: RunId,
        /// Who approves it.
        by: String,
    },
    /// A person cancels the run.
    Cancel {
        /// The run.
        run_id: RunId,
        /// Who cancels it.
        by: String,
    },
    /// A person approves or rejects the run, or exactly what a step is about to do. New in version 3.
    ApprovalAnswer {
        /// The run.
        run_id: RunId,
        /// The step's name; none: the run as a whole.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<String>,
        /// The element of a step that fans out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        item: Option<u32>,
        /// The digest of what the person has read.
        digest: Digest,
        /// Who answers.
        by: String,
        /// The reason of a rejection, which may be empty; none: the person approves.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rejection: Option<String>,
    },
    /// A person did what the run had left.
    FollowUpDone {
        /// The run.
        run_id: RunId,
        /// The entry's id in this run.
        id: String,
        /// Who did it.
        by: String,
        /// What this person adds.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<String>,
    },
}

/// Version 2 adds the kinds `late` and `follow_up_done`, version 3 the kind `approval_answer` and results that ended `needs_approval`.
impl Format for Inbound {
    const NAME: &'static str = "message on the results queue";
    const VERSION: u32 = 3;

    fn needed_version(&self) -> u32 {
        match self {
            Self::ApprovalAnswer { .. } => 3,
            Self::Result(result) if result.result.needs_approval() => 3,
            Self::Late(_) | Self::FollowUpDone { .. } => 2,
            Self::Result(_) | Self::Wake { .. } | Self::Approve { .. } | Self::Cancel { .. } => 1,
        }
    }
}

impl Inbound {
    /// Reads a body.
    ///
    /// # Errors
    /// The body was written by a newer build, or is malformed.
    pub fn parse(body: &str) -> Result<Self, format::Error> {
        format::decode(body)
    }

    /// The message as a body.
    pub fn to_body(&self) -> String {
        format::encode(self)
    }

    /// The run that the message is for.
    pub const fn run_id(&self) -> &RunId {
        match self {
            Self::Result(result) => &result.run_id,
            Self::Late(late) => &late.run_id,
            Self::Wake { run_id }
            | Self::Approve { run_id, .. }
            | Self::Cancel { run_id, .. }
            | Self::ApprovalAnswer { run_id, .. }
            | Self::FollowUpDone { run_id, .. } => run_id,
        }
    }
}

impl Inbound {
    /// The message with the identity that its queue attests, if it does. What a body says about its sender is only a claim.
    #[must_use]
    pub fn attested(mut self, sender: Option<&str>) -> Self {
        if let (
            Some(sender),
            Self::Approve { by, .. }
            | Self::Cancel { by, .. }
            | Self::ApprovalAnswer { by, .. }
            | Self::FollowUpDone { by, .. },
        ) = (sender, &mut self)
        {
            sender.clone_into(by);
        }
        self
    }

    /// The input of the run; `groups` are the approvers' groups by name.
    pub fn into_input(self, groups: &BTreeMap<String, Vec<String>>) -> Input {
        let approver = |identity: String| approver(groups, identity);
        match self {
            Self::Result(result) => Input::Result(result),
            Self::Late(late) => Input::Late(late),
            Self::Wake { .. } => Input::Wake,
            Self::Approve { by, .. } => Input::Approval(Box::new(ApprovalAnswer::of_run(approver(by)))),
            Self::ApprovalAnswer { step, item, digest, by, rejection, .. } => {
                let (digest, by) = (Some(digest), approver(by));
                Input::Approval(Box::new(ApprovalAnswer { step, item, digest, by, rejection }))
            }
            Self::Cancel { by, .. } => Input::CancelRequested { by },
            Self::FollowUpDone { id, by, note, .. } => Input::FollowUpDone { id, by, note },
        }
    }
}

/// The person with this identity, and those of `groups` that have it among their members.
pub fn approver(groups: &BTreeMap<String, Vec<String>>, identity: String) -> Approver {
    let own = groups.iter().filter(|(_, members)| members.contains(&identity));
    Approver { groups: own.map(|(name, _)| name.clone()).collect(), identity }
}

/// The messages for the commands that a run owes. `more`: the turn was cut short, and a wake-up continues it.
pub(crate) fn commands(state: &State, owed: Vec<Command>, more: bool, now: Timestamp) -> Vec<Message> {
    // The receiver's span continues this turn's, or the run's trace if turns are not traced.
    let traceparent = heal_telemetry::trace::current().or_else(|| state.traceparent.clone());
    let wake = |delay_ms| Message {
        queue: QueueName::Results,
        body: Inbound::Wake { run_id: state.run_id.clone() }.to_body(),
        delay_ms,
        traceparent: traceparent.clone(),
    };
    let message = |command| match command {
        Command::Perform { mut command, .. } => {
            command.context.traceparent.clone_from(&traceparent);
            Some(Message {
                queue: QueueName::Action(command.action.clone()),
                body: format::encode(&*command),
                delay_ms: 0,
                traceparent: traceparent.clone(),
            })
        }
        Command::Wake { at, .. } => Some(at.since_ms(now)).filter(|delay_ms| *delay_ms <= DELAY_MS).map(wake),
    };
    owed.into_iter().filter_map(message).chain(more.then(|| wake(0))).collect()
}
