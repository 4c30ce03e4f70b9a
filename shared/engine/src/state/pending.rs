//! What the started steps of a run wait for.

use super::Question;
use crate::id::{Digest, Seq, Token};
use crate::message::{Approved, AttemptResult};
use crate::time::Timestamp;
use crate::{Map, limit};

/// Milliseconds after an attempt's end in which its result is still accepted: the clocks of two machines may differ by this much.
pub const ANSWER_GRACE_MS: u64 = 5_000;

/// What a step, or an element of one, waits for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Pending {
    /// The result of this attempt.
    Attempt(Box<Attempt>),
    /// Nothing: the attempt has its result, and the next event of the same turn follows from it.
    Answered(Box<Attempt>, Box<AttemptResult>),
    /// The moment `due_at`, at which the attempt after this one starts.
    Retry { since: Seq, due_at: Timestamp, attempt: Box<Attempt>, reason: String },
    /// The moment `until`.
    Wait { since: Seq, until: Timestamp },
    /// The run's release: nothing was done about this attempt, which was held `at` this moment, and it starts anew.
    Held { at: Timestamp, attempt: Box<Attempt> },
    /// People, at most until the end of the question's time.
    Approval(Box<Question>),
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Attempt {
    /// The event that authorised the attempt.
    pub since: Seq,
    pub number: u32,
    pub token: Token,
    pub parameters: Map,
    pub digest: Digest,
    /// When the newest command of the attempt was issued.
    pub started_at: Timestamp,
    /// The last moment to start; without `timeout_ms`, the last one to end.
    pub deadline: Timestamp,
    /// What the attempt has once a worker took it; `None` if an older build started it.
    pub timeout_ms: Option<u64>,
    /// When the first command of the attempt was issued.
    pub first_issued_at: Timestamp,
    /// Milliseconds since then in which the run was held.
    pub held_ms: u64,
    /// When the first attempt of the step started.
    pub first_started_at: Timestamp,
    /// Milliseconds that the step's attempts so far have waited for workers.
    pub waited_ms: u64,
    /// Earlier attempts of the step that are proven not to have taken effect, up to the first one that is not. Each has used up an idempotency key.
    pub proven_not_applied: u32,
    /// An earlier attempt of the step is not proven to have had no effect: from then on the key stays as it is, whatever later ones prove.
    pub may_have_acted: bool,
    /// Earlier attempts of the step that did nothing, because they were held or people had to be asked first: they do not count as tries.
    pub uncounted: u32,
    /// What people have approved of this step.
    pub approved: Option<Approved>,
    /// Commands that the run has sent, this attempt's included.
    pub commands_sent: u64,
}

impl Pending {
    /// When time alone settles it.
    pub(crate) fn due_at(&self) -> Timestamp {
        match self {
            Self::Attempt(attempt) | Self::Answered(attempt, _) => attempt.answer_due_at(),
            Self::Retry { due_at, .. } => *due_at,
            Self::Wait { until, .. } => *until,
            Self::Held { at, .. } => *at,
            Self::Approval(question) => question.until,
        }
    }

    /// From when on the run can wait for it: for an attempt from its newest command on, for a timer from the moment on at which it is due, for
    /// people from the question on.
    pub(crate) fn waits_from(&self) -> Option<Timestamp> {
        match self {
            Self::Attempt(attempt) => Some(attempt.started_at),
            Self::Retry { due_at: at, .. } | Self::Wait { until: at, .. } | Self::Held { at, .. } => Some(*at),
            Self::Approval(question) => Some(question.at),
            Self::Answered(..) => None,
        }
    }
}

impl Attempt {
    /// Tries of the step so far, this one included.
    pub(crate) fn tries(&self) -> u32 {
        self.number.saturating_sub(self.uncounted)
    }

    /// Takes in what the attempt's result proves.
    pub(crate) fn learn(&mut self, result: &AttemptResult) {
        self.may_have_acted |= !result.is_proven_not_applied();
        self.proven_not_applied += u32::from(!self.may_have_acted);
    }

    /// When it has waited for a worker as long as it may. Held time does not count.
    pub(crate) fn wait_ends_at(&self) -> Timestamp {
        self.first_issued_at.plus_ms(self.held_ms).plus_ms(limit::WAIT_MS)
    }

    /// When its result is overdue: a worker that took the command at the last moment would have ended it by now.
    pub(crate) fn answer_due_at(&self) -> Timestamp {
        self.deadline.plus_ms(self.timeout_ms.unwrap_or(0)).plus_ms(ANSWER_GRACE_MS)
    }
}
