//! The messages between functions: bodies on the results queue, and a run's commands as messages.

use std::collections::BTreeMap;

use heal_engine::format::{self, Format};
use heal_engine::id::Digest;
use heal_engine::message::{ActionResult, AttemptOutcome, HeldCommand, Hold, LateCommand};
use heal_engine::state::Approver;
use heal_engine::turn::{ApprovalAnswer, Input};
use heal_engine::{Command, RunId, State, Timestamp};
use heal_guard::Halt;
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
    /// A worker's answer to a command whose effect is halted: nothing was done. New in version 3.
    Held(Box<HeldCommand>),
    /// A person holds the run. New in version 3.
    Hold {
        /// The run.
        run_id: RunId,
        /// The identity of who holds it.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person releases a run that a person holds. New in version 3.
    Release {
        /// The run.
        run_id: RunId,
        /// The identity of who releases it.
        by: String,
        /// Why.
        reason: String,
    },
    /// A person orders a halt. New in version 3.
    Halt(Box<Halt>),
    /// A person ends a halt. New in version 3.
    Resume {
        /// The halt's id.
        id: String,
        /// The identity of who ends it.
        by: String,
    },
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

/// Version 2 adds the kinds `late` and `follow_up_done`, version 3 the kinds `held`, `hold`, `release`, `halt`, `resume` and `approval_answer`, and
/// results that ended `needs_approval` or `shadowed`.
impl Format for Inbound {
    const NAME: &'static str = "message on the results queue";
    const VERSION: u32 = 3;

    fn needed_version(&self) -> u32 {
        match self {
            Self::Held(_)
            | Self::Hold { .. }
            | Self::Release { .. }
            | Self::Halt(_)
            | Self::Resume { .. }
            | Self::ApprovalAnswer { .. } => 3,
            Self::Result(result) if result.result.needs_approval() => 3,
            Self::Result(answer) if matches!(answer.result.outcome, AttemptOutcome::Shadowed { .. }) => 3,
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

    /// The run that the message is for; `None` if it orders a halt or a resume.
    pub const fn run_id(&self) -> Option<&RunId> {
        match self {
            Self::Result(result) => Some(&result.run_id),
            Self::Late(late) => Some(&late.run_id),
            Self::Held(held) => Some(&held.run_id),
            Self::Wake { run_id }
            | Self::Approve { run_id, .. }
            | Self::Cancel { run_id, .. }
            | Self::ApprovalAnswer { run_id, .. }
            | Self::Hold { run_id, .. }
            | Self::Release { run_id, .. }
            | Self::FollowUpDone { run_id, .. } => Some(run_id),
            Self::Halt(_) | Self::Resume { .. } => None,
        }
    }

    /// The message with the identity that its queue attests, if it does. What a body says about its sender is only a claim.
    #[must_use]
    pub fn attested(mut self, sender: Option<&str>) -> Self {
        if let (Some(sender), Some(by)) = (sender, self.claims_by()) {
            sender.clone_into(by);
        }
        self
    }

    /// Who sent it, as the body says it; `None` if no person sends such a message.
    fn claims_by(&mut self) -> Option<&mut String> {
        match self {
            Self::Hold { by, .. }
            | Self::Release { by, .. }
            | Self::Resume { by, .. }
            | Self::Approve { by, .. }
            | Self::Cancel { by, .. }
            | Self::ApprovalAnswer { by, .. }
            | Self::FollowUpDone { by, .. } => Some(by),
            Self::Halt(halt) => Some(&mut halt.by),
            Self::Result(_) | Self::Late(_) | Self::Held(_) | Self::Wake { .. } => None,
        }
    }

    /// The message as an input of its run, `groups` being the approvers' groups by name; `None` if it orders a halt or a resume.
    pub fn into_input(self, groups: &BTreeMap<String, Vec<String>>) -> Option<Input> {
        let approver = |identity: String| approver(groups, identity);
        Some(match self {
            Self::Result(result) => Input::Result(result),
            Self::Late(late) => Input::Late(late),
            Self::Held(held) => Input::Held(held),
            Self::Wake { .. } => Input::Wake,
            Self::Approve { by, .. } => Input::Approval(Box::new(ApprovalAnswer::of_run(approver(by)))),
            Self::ApprovalAnswer { step, item, digest, by, rejection, .. } => {
                let (digest, by) = (Some(digest), approver(by));
                Input::Approval(Box::new(ApprovalAnswer { step, item, digest, by, rejection }))
            }
            Self::Cancel { by, .. } => Input::CancelRequested { by },
            Self::Hold { by, reason, .. } => Input::Hold(Hold { by, reason, halt: None, until: None }),
            Self::Release { by, reason, .. } => Input::Release { by, reason, halt: None },
            Self::FollowUpDone { id, by, note, .. } => Input::FollowUpDone { id, by, note },
            Self::Halt(_) | Self::Resume { .. } => return None,
        })
    }
}

/// What the API puts before a message from outside, to say who sent it.
const ATTRIBUTED: &str = "{\"heal_requested_by\":";
const ATTRIBUTED_MESSAGE: &str = ",\"heal_message\":";

/// The body of a message on the incidents queue that `by` sent to the API; `text` is a JSON object.
pub fn attributed(by: &str, text: &str) -> String {
    format!("{ATTRIBUTED}{}{ATTRIBUTED_MESSAGE}{text}}}", serde_json::Value::from(by))
}

/// Who sent the message, and the message; `None` for a body that [`attributed`] did not write.
pub fn read_attributed(body: &str) -> Option<(String, &str)> {
    let rest = body.strip_prefix(ATTRIBUTED)?;
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let by = values.next()?.ok()?;
    let text = rest.get(values.byte_offset()..)?.strip_prefix(ATTRIBUTED_MESSAGE)?.strip_suffix('}')?;
    Some((by, text))
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
