//! What people are told: a commit that owes notices is announced on the queue `notify` before it is written.
//!
//! *Invariant*: for every commit with notices, a message that names it is on the queue before the commit is in the log. Whatever dies
//! afterwards, the notifier finds the commit, and derives its notices from it; a message whose commit was never made comes to nothing. So a
//! commit that no input and no sweep would ever touch again, such as the end of a run, is told too.

use heal_engine::event::Commit;
use heal_engine::notice::{Notice, NoticeEvent, Owed, from_events};
use heal_engine::{Plan, RunId, State, Timestamp, format};
use heal_guard::{AutonomySetting, Halt};
use heal_telemetry::logs::rfc3339;

use super::Dispatcher;
use crate::port::{Message, QueueName};

/// How long the notifier waits for an announced commit, in milliseconds: several times the longest turn.
pub const COMMIT_WITHIN_MS: u64 = 60_000;
/// The age in milliseconds from which an announcement is repeated once its commit is written: the notifier may soon give it up.
const REPEAT_AFTER_MS: u64 = COMMIT_WITHIN_MS / 3;

/// An announced commit.
#[derive(Debug)]
pub(super) struct Announcement {
    owed: Owed,
    at: Timestamp,
    is_sent: bool,
}

impl Dispatcher {
    /// Tells the notifier what people may want to know. Without it, nothing is sent to the queue `notify`.
    #[must_use]
    pub fn notifying(self) -> Self {
        Self { notifies: true, ..self }
    }

    /// Announces `commit` if it has notices; `state` is that after it.
    pub(super) async fn announce(&self, plan: &Plan, state: &State, commit: &Commit) -> Option<Announcement> {
        let has_notices = || !from_events(plan, state, commit.first_seq, commit.at, &commit.events).is_empty();
        if self.notifies && has_notices() { Some(self.announce_commit(commit).await) } else { None }
    }

    /// Announces a commit of the record of a rejected message.
    pub(super) async fn announce_record(&self, commit: &Commit) -> Option<Announcement> {
        if self.notifies { Some(self.announce_commit(commit).await) } else { None }
    }

    async fn announce_commit(&self, commit: &Commit) -> Announcement {
        let at = self.ports.clock.now();
        let owed = Owed::Commit { run_id: commit.run_id.clone(), first_seq: commit.first_seq, at };
        let is_sent = self.tell(&owed, Some(&commit.run_id)).await;
        Announcement { owed, at, is_sent }
    }

    /// The announced commit is in the log. Announces it again if that failed, or if the notifier may be about to give it up.
    pub(super) async fn announced(&self, announcement: Option<Announcement>) {
        let Some(Announcement { owed, at, is_sent }) = announcement else { return };
        let now = self.ports.clock.now();
        if is_sent && now.since_ms(at) < REPEAT_AFTER_MS {
            return;
        }
        let owed = match owed {
            Owed::Commit { run_id, first_seq, .. } => Owed::Commit { run_id, first_seq, at: now },
            Owed::Notice(_) => owed,
        };
        if !self.tell(&owed, None).await {
            tracing::error!(event = "notify.lost", ?owed, "a notice could not be put on its queue, and is lost");
            self.observer.notice_lost();
        }
    }

    /// Tells of a halt. The same halt again is the same notice.
    pub(super) async fn tell_halted(&self, halt: &Halt) {
        let title = format!("Halted: {}", halt.scope);
        let notice =
            Notice::new(NoticeEvent::Halted, halt.id.as_str(), halt.since, title).detailed(halt.reason.as_str());
        let notice = notice.fact("by", halt.by.as_str()).fact("until", rfc3339(halt.until.0));
        self.tell_once(notice.fact("halt", halt.id.as_str())).await;
    }

    /// Tells of the end of a halt.
    pub(super) async fn tell_resumed(&self, id: &str, by: &str) {
        let notice = Notice::new(NoticeEvent::Resumed, id, self.now(), format!("Resumed: {id} has ended"));
        self.tell_once(notice.fact("by", by)).await;
    }

    /// Tells of a storm.
    pub(super) async fn tell_storm(&self, halt: &Halt, service: &str, why: &str) {
        let title = format!("Storm: so many targets of {service} are sick that their healing is held");
        let notice = Notice::new(NoticeEvent::StormBegan, halt.id.as_str(), halt.since, title).detailed(why);
        let run_id = halt.storm.as_ref().map(|storm| storm.run_id.clone());
        let notice = Notice { run_id, severity: Some("HIGH".to_owned()), ..notice };
        self.tell_once(notice.fact("halt", halt.id.as_str())).await;
    }

    /// Tells of the end of a storm. The same storm again is the same notice.
    pub(super) async fn tell_storm_over(&self, halt: &Halt) {
        let title = format!("Storm over: {} is healed again", halt.scope);
        let notice = Notice::new(NoticeEvent::StormOver, halt.id.as_str(), halt.until, title);
        self.tell_once(notice.fact("halt", halt.id.as_str())).await;
    }

    /// Tells that a playbook has lost a level of autonomy.
    pub(super) async fn tell_demoted(&self, setting: &AutonomySetting) {
        let AutonomySetting { playbook, level, reason, since, .. } = setting;
        let title = format!("Autonomy of {playbook} lowered to {}", level.as_str());
        let thread = format!("autonomy:{playbook}:{}", since.0);
        let notice = Notice::new(NoticeEvent::AutonomyDemoted, thread, *since, title).detailed(reason.as_str());
        self.tell_once(Notice { playbook: Some(playbook.clone()), ..notice }).await;
    }

    async fn tell_once(&self, notice: Notice) {
        if self.notifies && !self.tell(&Owed::Notice(Box::new(notice)), None).await {
            self.observer.notice_lost();
        }
    }

    /// Whether the queue took it. A run never fails because people cannot be told.
    async fn tell(&self, owed: &Owed, run_id: Option<&RunId>) -> bool {
        match self.ports.sender.send(vec![message(owed)]).await {
            Ok(()) => true,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(run_id = run_id.map(RunId::as_str), error, "failed to send to the queue `notify`");
                false
            }
        }
    }
}

/// The message that tells the notifier of `owed`.
pub fn message(owed: &Owed) -> Message {
    Message { queue: QueueName::Notify, body: format::encode(owed), delay_ms: 0, traceparent: None }
}
