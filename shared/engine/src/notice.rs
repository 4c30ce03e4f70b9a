//! Notices: what people are told about. They follow from committed events alone, so that whoever reads the log derives the same ones.

mod derive;
mod rules;

use serde::{Deserialize, Serialize};

use crate::event::RunOutcome;
use crate::format::Format;
use crate::id::{Digest, RunId};
use crate::message::cut;
use crate::time::Timestamp;

pub use derive::{from_commit, from_events};
pub use rules::{Channel, ChannelKind, DigestTimes, Quiet, Route, Rules, RulesError, SecretRef, Setting, Shape, limit};

/// Something that people may want to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeEvent {
    /// A run, or one of its steps, waits for people's approval.
    ApprovalRequested,
    /// The time for an approval is running out.
    ApprovalExpiring,
    /// A person approved or rejected.
    ApprovalDecided,
    /// An action may or may not have taken effect.
    StepUnknown,
    /// A run ended other than well, perhaps with follow-ups; or a message was rejected.
    RunEnded,
    /// A run did nothing, because the same remedy was needed too often.
    RunEscalated,
    /// A run that people were told about ended well, or the last of its follow-ups was done.
    RunSettled,
    /// A person halted the engine, or a part of it.
    Halted,
    /// A person ended a halt.
    Resumed,
    /// A scheduled check raised an incident.
    CheckRaised,
    /// A storm of incidents began.
    StormBegan,
    /// A storm of incidents is over.
    StormOver,
    /// A playbook lost its autonomy.
    AutonomyDemoted,
    /// What one channel's digest has collected.
    Digest,
}

/// What a notice means for an alert with the same thread, in a tool that has alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alert {
    /// It opens the alert, or adds to it.
    Trigger,
    /// A person has seen to it.
    Acknowledge,
    /// Nothing is left to do.
    Resolve,
}

impl NoticeEvent {
    /// Every event that something causes: all but the digest, which no route can name.
    pub const ALL: [Self; 13] = [
        Self::ApprovalRequested,
        Self::ApprovalExpiring,
        Self::ApprovalDecided,
        Self::StepUnknown,
        Self::RunEnded,
        Self::RunEscalated,
        Self::RunSettled,
        Self::Halted,
        Self::Resumed,
        Self::CheckRaised,
        Self::StormBegan,
        Self::StormOver,
        Self::AutonomyDemoted,
    ];

    /// The event's word in the file of rules, in messages and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApprovalRequested => "approval_requested",
            Self::ApprovalExpiring => "approval_expiring",
            Self::ApprovalDecided => "approval_decided",
            Self::StepUnknown => "step_unknown",
            Self::RunEnded => "run_ended",
            Self::RunEscalated => "run_escalated",
            Self::RunSettled => "run_settled",
            Self::Halted => "halted",
            Self::Resumed => "resumed",
            Self::CheckRaised => "check_raised",
            Self::StormBegan => "storm_began",
            Self::StormOver => "storm_over",
            Self::AutonomyDemoted => "autonomy_demoted",
            Self::Digest => "digest",
        }
    }

    /// What the event means for the alert of its thread.
    pub const fn alert(self) -> Alert {
        match self {
            Self::ApprovalRequested
            | Self::ApprovalExpiring
            | Self::StepUnknown
            | Self::RunEnded
            | Self::RunEscalated
            | Self::Halted
            | Self::CheckRaised
            | Self::StormBegan
            | Self::AutonomyDemoted
            | Self::Digest => Alert::Trigger,
            Self::ApprovalDecided => Alert::Acknowledge,
            Self::RunSettled | Self::Resumed | Self::StormOver => Alert::Resolve,
        }
    }
}

/// One notice, in full: a channel renders nothing that is not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// Names the notice; the same whenever it is derived again, such as `run-1:12:run_ended`.
    pub key: String,
    /// What happened.
    pub event: NoticeEvent,
    /// When.
    pub at: Timestamp,
    /// Names the alert that the notice belongs to: a run, a halt or an incident.
    pub thread: String,
    /// The incident's severity, in upper case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub severity: Option<String>,
    /// The run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_id: Option<RunId>,
    /// The run's playbook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub playbook: Option<String>,
    /// The actions of the playbook, or of the step that the notice is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actions: Vec<String>,
    /// How the run ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// One line, at most [`TITLE_BYTES`].
    pub title: String,
    /// Sentences, at most [`crate::limit::TEXT_BYTES`]; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    /// Names and values, in the order in which they are shown; at most [`FACTS`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub facts: Vec<(String, String)>,
    /// What people are asked, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<Asked>,
}

/// A question to people, without its parameters: these are shown to who has signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The step's name; `None`: the run as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The element of a step that fans out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// What an answer is bound to.
    pub digest: Digest,
    /// When the question is over.
    pub until: Timestamp,
}

/// Bytes of a title.
pub const TITLE_BYTES: usize = 256;
/// Bytes of the value of a fact.
pub const FACT_BYTES: usize = 1_024;
/// Facts of one notice.
pub const FACTS: usize = 16;

impl Notice {
    /// A notice of `thread` with neither a run nor facts; its key is `{thread}:{event}`.
    pub fn new(event: NoticeEvent, thread: impl Into<String>, at: Timestamp, mut title: String) -> Self {
        let thread = thread.into();
        cut(&mut title, TITLE_BYTES);
        Self {
            key: format!("{thread}:{}", event.as_str()),
            event,
            at,
            thread,
            severity: None,
            run_id: None,
            playbook: None,
            actions: Vec::new(),
            outcome: None,
            title,
            detail: String::new(),
            facts: Vec::new(),
            asked: None,
        }
    }

    /// With these sentences, cut to their limit.
    #[must_use]
    pub fn detailed(mut self, detail: impl Into<String>) -> Self {
        self.detail = detail.into();
        cut(&mut self.detail, crate::limit::TEXT_BYTES);
        self
    }

    /// With one more fact, cut to its limit; none after [`FACTS`].
    #[must_use]
    pub fn fact(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let mut value = value.into();
        cut(&mut value, FACT_BYTES);
        if self.facts.len() < FACTS && !value.is_empty() {
            self.facts.push((name.into(), value));
        }
        self
    }
}

/// A notice, or where it can be derived from; the body of a message on the queue `notify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Owed {
    /// Those of one commit of a run. Sent before the commit is written, so it may name a commit that was never made.
    Commit {
        /// The run.
        run_id: RunId,
        /// The sequence number of the commit's first event.
        first_seq: u64,
        /// When the message was sent.
        at: Timestamp,
    },
    /// This one.
    Notice(Box<Notice>),
    /// What a channel's digest has collected, once its time has come.
    Digest {
        /// The channel's name.
        channel: String,
        /// When the digest is due.
        at: Timestamp,
        /// When the message was sent first. The notice that opens the digest is added after that.
        since: Timestamp,
    },
}

impl Format for Owed {
    const NAME: &'static str = "message on the notify queue";
    /// 2: a digest.
    const VERSION: u32 = 2;

    fn needed_version(&self) -> u32 {
        match self {
            Self::Commit { .. } | Self::Notice(_) => 1,
            Self::Digest { .. } => 2,
        }
    }
}
