//! The run of a message that was sent, looked for among the stack's runs.
//!
//! The index finds runs by time and has their incident; that a run is this message's is read off its log, whose first commit names what
//! caused it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heal_engine::event::{Event, RunStatus};
use heal_engine::time::seconds_to_ms;
use heal_engine::{RunId, Seq, Timestamp, limit};
use heal_runtime::port::{Clock as _, RunFilter, RunHead, RunReader, SystemClock};

use super::Sent;

/// How far the clocks of this machine and of the dispatcher may be apart.
const SKEW_MS: u64 = 600_000;
/// Runs of one page.
const PAGE: usize = 200;
/// Pages of the last look, which goes back as far as an incident is known.
const PAGES: usize = 10;
/// Every so many looks also asks whether the incident has joined another run: that takes more reading.
const JOINED_EVERY: u32 = 3;
/// Runs whose log one look reads for that.
const LOGS: usize = 20;
/// What a run that keeps a message without any id is named by.
const UNKNOWN: &str = "unknown";

/// What became of the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Started(RunId),
    /// The incident had this run before.
    Known(RunId),
    /// A live run that works on the same has recorded it.
    Joined(RunId),
    Rejected(RunId),
}

/// The newest runs before the message was sent, back to where an incident is known.
#[derive(Debug)]
pub(super) struct Before {
    heads: Vec<RunHead>,
    since: Timestamp,
}

impl Before {
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn look(runs: &dyn RunReader) -> anyhow::Result<Self> {
        let known_ms = seconds_to_ms(limit::DEDUPE_SECONDS) + SKEW_MS;
        let since = Timestamp(SystemClock.now().0.saturating_sub(known_ms));
        let filter = RunFilter { since: Some(since), ..RunFilter::default() };
        Ok(Self { heads: runs.list(&filter, PAGE, None).await?.runs, since })
    }
}

pub(super) struct Search {
    runs: Arc<dyn RunReader>,
    pub(super) sent: Sent,
    before: Before,
    sent_at: Timestamp,
    looks: u32,
    /// Runs of the incident that are not this message's.
    others: BTreeSet<RunId>,
    /// How far the logs of other incidents' runs have been read.
    read: BTreeMap<RunId, Seq>,
}

impl Search {
    pub(super) fn new(runs: Arc<dyn RunReader>, sent: Sent, before: Before) -> Self {
        let (others, read) = (BTreeSet::new(), BTreeMap::new());
        Self { runs, sent, before, sent_at: SystemClock.now(), looks: 0, others, read }
    }

    /// Looks once. None where nothing shows yet.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn look(&mut self) -> anyhow::Result<Option<Found>> {
        let mut heads = Vec::new();
        // A request names its run itself.
        if let Some(run_id) = self.sent.intake.as_ref().and_then(|intake| intake.run_id.clone()) {
            heads.extend(self.runs.head(&run_id).await?);
        }
        let since = Some(Timestamp(self.sent_at.0.saturating_sub(SKEW_MS)));
        let filter = RunFilter { since, ..RunFilter::default() };
        heads.extend(self.runs.list(&filter, PAGE, None).await?.runs);
        heads.extend(self.before.heads.iter().cloned());
        if let Some(found) = self.own(&heads).await? {
            return Ok(Some(found));
        }
        self.looks += 1;
        if self.looks.is_multiple_of(JOINED_EVERY) {
            return self.joined(heads).await;
        }
        Ok(None)
    }

    /// Looks through everything that the incident may be known from, page by page.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn look_far(&mut self) -> anyhow::Result<Option<Found>> {
        let filter = RunFilter { since: Some(self.before.since), ..RunFilter::default() };
        let mut cursor = None;
        for _ in 0..PAGES {
            let page = self.runs.list(&filter, PAGE, cursor.as_deref()).await?;
            if let Some(found) = self.own(&page.runs).await? {
                return Ok(Some(found));
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn own(&mut self, heads: &[RunHead]) -> anyhow::Result<Option<Found>> {
        let incident_id = self.sent.incident_id.as_deref().unwrap_or(UNKNOWN);
        for head in heads.iter().filter(|head| head.incident_id == incident_id) {
            if self.others.contains(&head.run_id) {
                continue;
            }
            match self.judge(head).await? {
                Some(found) => return Ok(Some(found)),
                None => self.others.insert(head.run_id.clone()),
            };
        }
        Ok(None)
    }

    /// Whether this run of the incident is the message's.
    async fn judge(&self, head: &RunHead) -> anyhow::Result<Option<Found>> {
        let commits = self.runs.load(&head.run_id, 0).await?;
        let Some(first) = commits.first() else { return Ok(None) };
        let run_id = head.run_id.clone();
        if first.cause_id == format!("rejected:{}", self.sent.message_id) {
            return Ok(Some(Found::Rejected(run_id)));
        }
        let is_own = self.sent.intake.as_ref().is_some_and(|intake| {
            let is_asked_for = intake.playbook.is_none() || intake.playbook == head.playbook;
            intake.dedupe_key == first.cause_id && is_asked_for
        });
        let was_there = self.before.heads.iter().any(|before| before.run_id == run_id);
        let is_old = head.started_at < Timestamp(self.sent_at.0.saturating_sub(SKEW_MS));
        let found = if was_there || is_old { Found::Known(run_id) } else { Found::Started(run_id) };
        Ok(is_own.then_some(found))
    }

    /// Whether a run of another incident has recorded this one.
    async fn joined(&mut self, mut heads: Vec<RunHead>) -> anyhow::Result<Option<Found>> {
        let Some(incident_id) = self.sent.incident_id.clone() else { return Ok(None) };
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let filter = RunFilter { status: Some(status), ..RunFilter::default() };
            heads.extend(self.runs.list(&filter, PAGE, None).await?.runs);
        }
        // What was written last comes first.
        heads.sort_by_key(|head| std::cmp::Reverse((head.updated_at, head.last_seq)));
        let since = Timestamp(self.sent_at.0.saturating_sub(SKEW_MS));
        let is_live = |head: &RunHead| !head.status.is_terminal() || head.updated_at >= since;
        let mut logs = 0;
        for head in heads.into_iter().filter(is_live) {
            let after = self.read.get(&head.run_id).copied().unwrap_or(0);
            if head.last_seq <= after || logs == LOGS {
                continue;
            }
            logs += 1;
            let commits = self.runs.load(&head.run_id, after).await?;
            let mut events = commits.iter().flat_map(|commit| &commit.events);
            let is_ours =
                |event: &Event| matches!(event, Event::IncidentJoined { incident_id: id } if *id == incident_id);
            if events.any(is_ours) {
                return Ok(Some(Found::Joined(head.run_id)));
            }
            self.read.insert(head.run_id, head.last_seq);
        }
        Ok(None)
    }
}
