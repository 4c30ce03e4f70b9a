//! What a run waits for people to approve: the run as a whole before its first step, or exactly what one step is about to do.

use serde::Serialize;
use serde_json::Value;

use super::{Attempt, Pending, Phase, State};
use crate::id::{Digest, Seq, StepRef};
use crate::message::Approved;
use crate::plan::Plan;
use crate::time::Timestamp;
use crate::{Map, limit};

/// The identity of a caller whom nobody attests, such as one of an HTTP interface without sign-in.
pub const ANONYMOUS: &str = "api:anonymous";

/// How the reason of a question starts that nobody answered in time.
pub const LAPSED: &str = "not approved within";

/// Who approves or rejects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// `KIND:NAME`, such as `local:anna`.
    pub identity: String,
    /// The groups of the guardrails that have this identity among their members.
    pub groups: Vec<String>,
}

/// A question that people have not answered yet, as people and scripts read it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OpenApproval {
    /// The step's name; `None`: the run as a whole, before its first step.
    pub step: Option<String>,
    /// The element of a step that fans out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub item: Option<u32>,
    /// The action of the step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// What an approval is bound to.
    pub digest: Digest,
    /// The parameters of the step; for a run as a whole, the variables of its incident.
    pub parameters: Map,
    /// Identities and groups that may approve; empty: everybody but the requester.
    pub approvers: Vec<String>,
    /// How many different identities have to approve.
    pub min: u32,
    /// Who has approved so far.
    pub approved_by: Vec<String>,
    /// The identity that started the run, which may not approve it; `None` if it is not known.
    pub requested_by: Option<String>,
    /// When people were asked.
    pub since: Timestamp,
    /// When the question is over. In a held run this moment is not fixed: what is left from `held_since` to it counts from the release.
    pub until: Timestamp,
    /// Since when the run is held, if it is: time stands still for its questions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_since: Option<Timestamp>,
    /// Why people are asked, as a sentence.
    pub why: String,
}

/// Why an answer to a question does not count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Objection {
    /// It came too late or twice.
    Stale(String),
    /// The rule that it breaks, as a sentence.
    Refused(String),
}

/// A question to people.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Question {
    /// The event that asked.
    pub since: Seq,
    /// When it was asked.
    pub at: Timestamp,
    /// What an approval is bound to.
    pub digest: Digest,
    pub parameters: Map,
    pub approvers: Vec<String>,
    pub min: u32,
    /// When it is over.
    pub until: Timestamp,
    pub why: String,
    /// Different identities.
    pub by: Vec<Approver>,
    pub rejection: Option<String>,
    pub reminds: bool,
    /// Percent of its time that had passed at the last reminder; 0 before the first.
    pub reminded_percent: u32,
    /// The attempt that the policy stopped, or that was held, if there was one: the next one follows it.
    pub attempt: Option<Box<Attempt>>,
}

impl Approver {
    /// An approver who belongs to no group.
    pub fn new(identity: impl Into<String>) -> Self {
        Self { identity: identity.into(), groups: Vec::new() }
    }
}

impl Question {
    /// Whether enough people have approved.
    pub(crate) fn is_approved(&self) -> bool {
        self.by.len() >= self.min as usize
    }

    pub(crate) const fn is_open(&self) -> bool {
        self.rejection.is_none() && self.by.len() < self.min as usize
    }

    pub(crate) fn has_approval_of(&self, identity: &str) -> bool {
        self.by.iter().any(|earlier| earlier.identity == identity)
    }

    /// The number of the attempt that an approval starts.
    pub(crate) fn next_attempt(&self) -> u32 {
        self.attempt.as_ref().map_or(1, |attempt| attempt.number + 1)
    }

    /// What the next command carries: these approvals, and those that were given before for the same.
    pub(crate) fn approved(&self) -> Approved {
        let before = self.attempt.as_ref().and_then(|attempt| attempt.approved.clone());
        let same = before.filter(|before| before.digest == self.digest);
        let mut approved =
            same.unwrap_or_else(|| Approved { digest: self.digest.clone(), by: Vec::new(), groups: Vec::new() });
        let mut add = |list: fn(&mut Approved) -> &mut Vec<String>, text: &String| {
            let list = list(&mut approved);
            if !list.contains(text) {
                list.push(text.clone());
            }
        };
        for approver in &self.by {
            add(|approved| &mut approved.by, &approver.identity);
            approver.groups.iter().for_each(|group| add(|approved| &mut approved.groups, group));
        }
        approved
    }

    /// Whether an answer for `digest` is an answer to this question.
    pub(crate) fn check_digest(&self, digest: Option<&Digest>) -> Result<(), Objection> {
        match digest {
            Some(digest) if *digest != self.digest => {
                let why = "the answer is for other parameters than those that are asked about now; read them again";
                Err(Objection::Refused(why.to_owned()))
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Whether `by` may approve. `requested_by` started the run.
    pub(crate) fn check_approver(&self, requested_by: Option<&str>, by: &Approver) -> Result<(), Objection> {
        let identity = by.identity.as_str();
        let refused = |why: String| Err(Objection::Refused(why));
        let is_named = |name: &String| name == identity || by.groups.contains(name);
        if self.has_approval_of(identity) {
            return Err(Objection::Stale(format!("{identity} has approved this already")));
        }
        if requested_by == Some(identity) {
            return refused(format!("{identity} started this run; another person has to approve it"));
        }
        let needs_a_name = requested_by.is_some() || self.min > 1 || !self.approvers.is_empty();
        if identity.trim().is_empty() || (identity == ANONYMOUS && needs_a_name) {
            return refused("nobody attests who the caller is, and this needs a known person".to_owned());
        }
        if !self.approvers.is_empty() && !self.approvers.iter().any(is_named) {
            let names = self.approvers.join(", ");
            return refused(format!("{identity} may not approve this; those who may are {names}"));
        }
        Ok(())
    }

    /// How a question ends that nobody answered in time.
    pub(crate) fn expiry(&self) -> String {
        let seconds = self.until.since_ms(self.at) / 1_000;
        match (self.by.len(), self.min) {
            (0, 1) => format!("{LAPSED} {seconds} seconds"),
            (given, min) => format!("{LAPSED} {seconds} seconds: {given} of {min} approvals"),
        }
    }

    fn reminders(&self) -> impl Iterator<Item = (Timestamp, u32)> {
        let (at, time_ms, reminded) = (self.at, self.until.since_ms(self.at), self.reminded_percent);
        let reminds = self.reminds && self.is_open();
        let percentages = limit::APPROVAL_REMINDERS_PERCENT.into_iter();
        let left = percentages.filter(move |percent| reminds && *percent > reminded);
        left.map(move |percent| (at.plus_ms(time_ms / 100 * u64::from(percent)), percent))
    }

    /// The next reminder: its moment, and the percentage of the time that has passed then. `None` after the last one.
    pub(crate) fn next_reminder(&self) -> Option<(Timestamp, u32)> {
        self.reminders().next()
    }

    /// The last reminder whose moment has come. Those before it are left out: an engine that was away reminds once.
    pub(crate) fn due_reminder(&self, now: Timestamp) -> Option<u32> {
        self.reminders().take_while(|(at, _)| *at <= now).last().map(|(_, percent)| percent)
    }
}

impl State {
    /// The question about the run as a whole, while it awaits its approval.
    pub(crate) fn run_question(&self) -> Option<&Question> {
        let awaits = self.phase == Phase::AwaitingApproval && self.stopping.is_none();
        self.run_question.as_deref().filter(|_| awaits)
    }

    /// The question that a step, or an element of one, waits for.
    pub(crate) fn step_question(&self, step: StepRef) -> Option<&Question> {
        match self.pending.get(&step)? {
            Pending::Approval(question) => Some(question),
            Pending::Attempt(_)
            | Pending::Answered(..)
            | Pending::Retry { .. }
            | Pending::Wait { .. }
            | Pending::Held { .. } => None,
        }
    }

    pub(crate) fn question(&self, step: Option<StepRef>) -> Option<&Question> {
        match step {
            None => self.run_question(),
            Some(step) => self.step_question(step),
        }
    }

    /// The questions without an answer, the run's own first.
    pub(crate) fn open_questions(&self) -> impl Iterator<Item = (Option<StepRef>, &Question)> {
        let steps = self.asking.iter().filter_map(|step| Some((Some(*step), self.step_question(*step)?)));
        let steps = steps.filter(|_| self.stopping.is_none());
        self.run_question().map(|question| (None, question)).into_iter().chain(steps)
    }

    /// Whether the run can go on only after an answer of people, or after the time for it.
    pub fn waits_for_people_only(&self) -> bool {
        self.phase == Phase::AwaitingApproval
            || (!self.asking.is_empty() && self.asking.len() == self.pending.len() && self.stopping.is_none())
    }

    /// What people are asked for, the run as a whole first.
    pub fn open_approvals(&self, plan: &Plan) -> Vec<OpenApproval> {
        let open = |(step, question): (Option<StepRef>, &Question)| {
            let planned = step.and_then(|step| plan.step(step.step));
            OpenApproval {
                step: planned.map(|planned| planned.spec.name.clone()),
                item: step.and_then(|step| step.item),
                action: planned.map(|planned| planned.spec.kind.clone()),
                digest: question.digest.clone(),
                parameters: match step {
                    Some(_) => question.parameters.clone(),
                    None => self.variables.incident().clone(),
                },
                approvers: question.approvers.clone(),
                min: question.min,
                approved_by: question.by.iter().map(|approver| approver.identity.clone()).collect(),
                requested_by: self.requested_by.clone(),
                since: question.at,
                until: question.until,
                held_since: self.held.as_ref().map(|held| held.since),
                why: question.why.clone(),
            }
        };
        self.open_questions().map(open).collect()
    }

    /// Whether `approver` may answer the question of `step`, a name and an element; the run's own for `None`. The rule that speaks against it
    /// is a sentence.
    ///
    /// # Errors
    /// Why the answer would not count.
    pub fn check_approval(&self, plan: &Plan, step: Option<(&str, Option<u32>)>, by: &Approver) -> Result<(), String> {
        let found = match step {
            None => self.run_question(),
            Some((name, item)) => plan.find(name).and_then(|step| self.step_question(StepRef { step, item })),
        };
        let Some(question) = found.filter(|question| question.is_open()) else {
            return Err("nobody is asked for this approval, or it has its answer".to_owned());
        };
        question.check_approver(self.requested_by.as_deref(), by).map_err(Objection::into_text)
    }
}

impl Objection {
    fn into_text(self) -> String {
        match self {
            Self::Stale(why) | Self::Refused(why) => why,
        }
    }
}

/// What the approval of a run as a whole is bound to: the plan, and the variables that it works on.
pub(crate) fn run_digest(plan: &Digest, variables: &Map) -> Digest {
    Digest::of(format!("{plan}\n{}", Value::Object(variables.clone())).as_bytes())
}
