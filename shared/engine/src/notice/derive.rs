//! The notices of one commit.

use super::{Asked, Notice, NoticeEvent};
use crate::apply;
use crate::event::{Commit, Event, RunOutcome, StepOutcome};
use crate::id::{Digest, RunId, Seq, StepRef};
use crate::plan::Plan;
use crate::state::State;
use crate::time::Timestamp;
use crate::turn;

/// Follow-ups that a notice lists.
const FOLLOW_UPS: usize = 5;

/// The notices of the commit that starts at `first_seq`, from the log of a run or of a rejected message, which has no plan; `None` if the log has no such commit.
///
/// # Errors
/// A log that does not fold.
pub fn from_commit(plan: Option<&Plan>, log: &[Commit], first_seq: Seq) -> Result<Option<Vec<Notice>>, apply::Error> {
    let Some(index) = log.iter().position(|commit| commit.first_seq == first_seq) else { return Ok(None) };
    let upto = log.get(..=index).unwrap_or_default();
    let Some(commit) = upto.last() else { return Ok(None) };
    let Some(plan) = plan else { return Ok(Some(of_record(log, commit))) };
    let Some(state) = turn::fold(plan, upto)? else { return Ok(None) };
    Ok(Some(from_events(plan, &state, first_seq, commit.at, &commit.events)))
}

/// The notices of `events`, the first of which has the number `first_seq`; `state` is that after them.
///
/// A shadow run has none: it changes nothing, and its report is read when somebody wants to.
pub fn from_events(plan: &Plan, state: &State, first_seq: Seq, at: Timestamp, events: &[Event]) -> Vec<Notice> {
    if state.mode.is_shadow() {
        return Vec::new();
    }
    let run = Run { plan, state, at };
    let notice = |(seq, event)| run.notice(event).map(|notice| Notice { key: run.key(seq, notice.event), ..notice });
    (first_seq..).zip(events).filter_map(notice).collect()
}

/// The notices of a commit of the record of a rejected message.
fn of_record(log: &[Commit], commit: &Commit) -> Vec<Notice> {
    let Commit { run_id, at, first_seq, .. } = commit;
    let Some(Event::IncidentRejected { incident_id, reason, .. }) = log.first().and_then(|first| first.events.first())
    else {
        return Vec::new();
    };
    if *first_seq == 1 {
        return vec![rejected(run_id, incident_id, reason, *at)];
    }
    let title = format!("Nothing is left to do · {incident_id}");
    let notice =
        Notice::new(NoticeEvent::RunSettled, run_id.as_str(), *at, title).fact("incident", incident_id.as_str());
    let key = format!("{run_id}:{first_seq}:{}", NoticeEvent::RunSettled.as_str());
    vec![Notice { key, run_id: Some(run_id.clone()), ..notice }]
}

fn rejected(run_id: &RunId, incident_id: &str, reason: &str, at: Timestamp) -> Notice {
    let title = format!("An incident was rejected: {incident_id}");
    let notice = Notice::new(NoticeEvent::RunEnded, run_id.as_str(), at, title).detailed(reason);
    let notice = notice.fact("incident", incident_id);
    Notice {
        key: format!("{run_id}:1:{}", NoticeEvent::RunEnded.as_str()),
        run_id: Some(run_id.clone()),
        outcome: Some(RunOutcome::Failed),
        ..notice
    }
}

struct Run<'a> {
    plan: &'a Plan,
    state: &'a State,
    at: Timestamp,
}

impl Run<'_> {
    fn key(&self, seq: Seq, event: NoticeEvent) -> String {
        format!("{}:{seq}:{}", self.state.run_id, event.as_str())
    }

    fn notice(&self, event: &Event) -> Option<Notice> {
        match event {
            Event::RunStarted(_) => self.run_asked(),
            Event::ApprovalRequested { step, digest, until, why, approvers, min, .. } => {
                let notice = self.asked(Some(*step), digest, *until).detailed(why.as_str());
                Some(notice.fact("approvals needed", min.to_string()).fact("approvers", approvers.join(", ")))
            }
            Event::ApprovalExpiring { step, percent, until } => self.expiring(*step, *percent, *until),
            Event::Approved { by, .. } => Some(self.decided(None, "approved", by, "")),
            Event::Rejected { by, reason } => Some(self.decided(None, "rejected", by, reason)),
            Event::StepApproved { step, by, .. } => Some(self.decided(Some(*step), "approved", by, "")),
            Event::StepRejected { step, by, reason, .. } => Some(self.decided(Some(*step), "rejected", by, reason)),
            Event::StepEnded { step, outcome: StepOutcome::Unknown, reason } => {
                let title = format!("Nobody knows whether {} took effect", self.step(*step));
                let notice = self.base(NoticeEvent::StepUnknown, &title).detailed(reason.clone().unwrap_or_default());
                Some(self.about(notice, Some(*step)))
            }
            Event::RunEnded { outcome, reason } => self.ended(*outcome, reason.as_deref()),
            Event::FollowUpDone { by, .. } if self.state.follow_up.open() == 0 => {
                let notice = self.base(NoticeEvent::RunSettled, "Nothing is left to do");
                Some(notice.fact("done by", by.as_str()))
            }
            Event::FollowUpDone { .. }
            | Event::StepEnded { .. }
            | Event::IncidentRejected { .. }
            | Event::IncidentJoined { .. }
            | Event::CancelRequested { .. }
            | Event::RunWithdrawn { .. }
            | Event::RunQueued
            | Event::RunAdmitted
            | Event::RunHeld { .. }
            | Event::RunReleased { .. }
            | Event::AttemptHeld { .. }
            | Event::ConditionFalse { .. }
            | Event::FannedOut { .. }
            | Event::AttemptStarted { .. }
            | Event::AttemptReissued { .. }
            | Event::WaitStarted { .. }
            | Event::AttemptEnded { .. }
            | Event::RetryScheduled { .. }
            | Event::VerifyStarted
            | Event::Stopping { .. } => None,
        }
    }

    /// What a notice of this run has in any case.
    fn base(&self, event: NoticeEvent, title: &str) -> Notice {
        let State { run_id, incident_id, .. } = self.state;
        let playbook = &self.plan.playbook;
        let title = format!("{title} · {}", playbook.name);
        let notice = Notice::new(event, run_id.as_str(), self.at, title);
        let notice = notice.fact("playbook", playbook.name.as_str()).fact("incident", incident_id.as_str());
        Notice {
            severity: self.state.severity().map(str::to_uppercase),
            run_id: Some(run_id.clone()),
            playbook: Some(playbook.name.clone()),
            actions: playbook.steps().map(|step| step.kind.clone()).collect(),
            ..notice
        }
    }

    /// `notice`, of this step alone.
    fn about(&self, notice: Notice, step: Option<StepRef>) -> Notice {
        match step.and_then(|step| self.plan.step(step.step)) {
            Some(planned) => {
                let notice = notice.fact("step", planned.spec.name.as_str()).fact("action", planned.spec.kind.as_str());
                Notice { actions: vec![planned.spec.kind.clone()], ..notice }
            }
            None => notice,
        }
    }

    fn step(&self, step: StepRef) -> String {
        let name = self.plan.name(step.step);
        step.item.map_or_else(|| format!("`{name}`"), |item| format!("`{name}` ({item})"))
    }

    /// `None` if nobody is asked before the first step.
    fn run_asked(&self) -> Option<Notice> {
        let question = self.state.question(None)?;
        let notice = self.asked(None, &question.digest, question.until).detailed(question.why.as_str());
        Some(notice.fact("approvals needed", question.min.to_string()).fact("approvers", question.approvers.join(", ")))
    }

    fn asked(&self, step: Option<StepRef>, digest: &Digest, until: Timestamp) -> Notice {
        let what = step.map_or_else(|| "A run".to_owned(), |step| format!("Step {}", self.step(step)));
        let notice = self.base(NoticeEvent::ApprovalRequested, &format!("{what} waits for approval"));
        Notice { asked: Some(self.question(step, digest, until)), ..self.about(notice, step) }
    }

    fn question(&self, step: Option<StepRef>, digest: &Digest, until: Timestamp) -> Asked {
        Asked {
            step: step.map(|step| self.plan.name(step.step).to_owned()),
            item: step.and_then(|step| step.item),
            digest: digest.clone(),
            until,
        }
    }

    /// `None` if the question was answered in the same commit.
    fn expiring(&self, step: Option<StepRef>, percent: u32, until: Timestamp) -> Option<Notice> {
        let question = self.state.question(step)?;
        let title = format!("An approval is running out: {percent} % of its time has passed");
        let notice = self.about(self.base(NoticeEvent::ApprovalExpiring, &title), step).detailed(question.why.as_str());
        Some(Notice { asked: Some(self.question(step, &question.digest, until)), ..notice })
    }

    fn decided(&self, step: Option<StepRef>, what: &str, by: &str, reason: &str) -> Notice {
        let subject = step.map_or_else(|| "A run".to_owned(), |step| format!("Step {}", self.step(step)));
        let notice = self.base(NoticeEvent::ApprovalDecided, &format!("{subject} was {what} by {by}"));
        self.about(notice, step).detailed(reason).fact("by", by)
    }

    /// A run that ended well is worth a notice only if people were asked: it closes the alert that asked them. Nobody is told of a run whose
    /// alert was over before it did anything.
    fn ended(&self, outcome: RunOutcome, reason: Option<&str>) -> Option<Notice> {
        let event = match outcome {
            RunOutcome::Shadowed => return None,
            RunOutcome::Healed | RunOutcome::Completed => {
                return self.state.was_asked.then(|| self.outcome(NoticeEvent::RunSettled, outcome, reason));
            }
            RunOutcome::Cancelled if self.state.withdrawn.is_some() => NoticeEvent::RunSettled,
            RunOutcome::Escalated => NoticeEvent::RunEscalated,
            RunOutcome::Degraded
            | RunOutcome::NotHealed
            | RunOutcome::Failed
            | RunOutcome::Denied
            | RunOutcome::Timeout
            | RunOutcome::Cancelled => NoticeEvent::RunEnded,
        };
        let follow_ups = self.state.follow_up.to_vec();
        let notice = self.outcome(event, outcome, reason);
        let listed = follow_ups.iter().take(FOLLOW_UPS);
        let notice = listed.fold(notice, |notice, text| notice.fact("follow-up", text.as_str()));
        let more = follow_ups.len().saturating_sub(FOLLOW_UPS);
        Some(if more > 0 { notice.fact("follow-ups not listed", more.to_string()) } else { notice })
    }

    fn outcome(&self, event: NoticeEvent, outcome: RunOutcome, reason: Option<&str>) -> Notice {
        let notice = self.base(event, &format!("A run ended {}", outcome.as_str()));
        Notice { outcome: Some(outcome), ..notice.detailed(reason.unwrap_or_default()) }
    }
}
