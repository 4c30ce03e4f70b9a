//! Searches the stack's runs for the run of a message that was sent.
//!
//! The index finds runs by time and has their incident. The run's log decides: its first commit names the message that caused it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use heal_engine::event::{Event, RunStatus};
use heal_engine::incident::Intake;
use heal_engine::time::seconds_to_ms;
use heal_engine::{RunId, Seq, Timestamp, limit};
use heal_runtime::port::{Clock as _, RunFilter, RunHead, RunReader, SystemClock};
use serde::Serialize;

/// Tolerated difference between the clocks of this machine and of the dispatcher.
const SKEW_MS: u64 = 600_000;
/// Runs of one query.
const PAGE: usize = 200;
/// Pages of the last search, which goes back as far as incidents are deduplicated.
const PAGES: usize = 10;
/// Every so many polls also search the logs of other runs that the incident may have joined, which costs more reads.
const JOINED_EVERY: u32 = 3;
/// Logs that one such poll reads.
const LOGS: usize = 20;
/// Incident id of a run that keeps a message without any id.
const UNKNOWN: &str = "unknown";

/// A message that was sent.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sent {
    pub message_id: String,
    /// `None` if a message sent with --raw has none.
    pub incident_id: Option<String>,
    #[serde(skip)]
    pub intake: Option<Intake>,
}

/// The run that a message led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Started(RunId),
    /// The incident had this run before.
    Known(RunId),
    /// A live run on the same target has recorded the incident.
    Joined(RunId),
    Rejected(RunId),
}

impl Found {
    pub(super) const fn run_id(&self) -> &RunId {
        match self {
            Self::Started(run_id) | Self::Known(run_id) | Self::Joined(run_id) | Self::Rejected(run_id) => run_id,
        }
    }
}

/// The newest runs before the message was sent, within the time in which incidents are deduplicated.
#[derive(Debug, Clone)]
pub(super) struct Snapshot {
    heads: Vec<RunHead>,
    since: Timestamp,
}

impl Snapshot {
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn take(runs: &dyn RunReader) -> anyhow::Result<Self> {
        let known_ms = seconds_to_ms(limit::DEDUPE_SECONDS) + SKEW_MS;
        let since = Timestamp(SystemClock.now().0.saturating_sub(known_ms));
        let filter = RunFilter { since: Some(since), ..RunFilter::default() };
        Ok(Self { heads: runs.list(&filter, PAGE, None).await?.runs, since })
    }
}

pub(super) struct Search {
    runs: Arc<dyn RunReader>,
    pub(super) sent: Sent,
    before: Snapshot,
    sent_at: Timestamp,
    polls: u32,
    /// Runs of the same incident that another message caused.
    others: BTreeSet<RunId>,
    /// Last sequence number read of each other incident's run.
    read: BTreeMap<RunId, Seq>,
}

impl Search {
    pub(super) fn new(runs: Arc<dyn RunReader>, sent: Sent, before: Snapshot) -> Self {
        let (others, read) = (BTreeSet::new(), BTreeMap::new());
        Self { runs, sent, before, sent_at: SystemClock.now(), polls: 0, others, read }
    }

    /// The search for the run of one of the message's tickets.
    pub(super) fn for_ticket(&self, ticket: &str) -> Self {
        let intake = self.sent.intake.as_ref().map(|intake| intake.for_ticket(ticket));
        let mut search = Self::new(Arc::clone(&self.runs), Sent { intake, ..self.sent.clone() }, self.before.clone());
        search.sent_at = self.sent_at;
        search
    }

    /// The message's tickets, if `run_id` is the run of one of them; else empty.
    ///
    /// # Errors
    /// The run cannot be read.
    pub(super) async fn tickets(&self, run_id: &RunId) -> anyhow::Result<Vec<String>> {
        let Some(intake) = &self.sent.intake else { return Ok(Vec::new()) };
        let commits = self.runs.load(run_id, 0).await?;
        let is_one_of_several = commits.first().is_some_and(|first| is_of_ticket(intake, &first.cause_id));
        Ok(if is_one_of_several { intake.tickets() } else { Vec::new() })
    }

    /// Searches once. `None` if the run does not appear yet.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn poll(&mut self) -> anyhow::Result<Option<Found>> {
        let mut heads = Vec::new();
        // A remediation request names its run.
        if let Some(run_id) = self.sent.intake.as_ref().and_then(|intake| intake.run_id.clone()) {
            heads.extend(self.runs.head(&run_id).await?);
        }
        let since = Some(Timestamp(self.sent_at.0.saturating_sub(SKEW_MS)));
        let filter = RunFilter { since, ..RunFilter::default() };
        heads.extend(self.runs.list(&filter, PAGE, None).await?.runs);
        heads.extend(self.before.heads.iter().cloned());
        if let Some(found) = self.find_own(&heads).await? {
            return Ok(Some(found));
        }
        self.polls += 1;
        if self.polls.is_multiple_of(JOINED_EVERY) {
            return self.find_joined(heads).await;
        }
        Ok(None)
    }

    /// Searches page by page through the whole time in which incidents are deduplicated.
    ///
    /// # Errors
    /// The runs cannot be read.
    pub(super) async fn poll_history(&mut self) -> anyhow::Result<Option<Found>> {
        let filter = RunFilter { since: Some(self.before.since), ..RunFilter::default() };
        let mut cursor = None;
        for _ in 0..PAGES {
            let page = self.runs.list(&filter, PAGE, cursor.as_deref()).await?;
            if let Some(found) = self.find_own(&page.runs).await? {
                return Ok(Some(found));
            }
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(None)
    }

    async fn find_own(&mut self, heads: &[RunHead]) -> anyhow::Result<Option<Found>> {
        let incident_id = self.sent.incident_id.as_deref().unwrap_or(UNKNOWN);
        for head in heads.iter().filter(|head| head.incident_id == incident_id) {
            if self.others.contains(&head.run_id) {
                continue;
            }
            match self.classify(head).await? {
                Some(found) => return Ok(Some(found)),
                None => self.others.insert(head.run_id.clone()),
            };
        }
        Ok(None)
    }

    /// Whether the message caused this run of its incident.
    async fn classify(&self, head: &RunHead) -> anyhow::Result<Option<Found>> {
        let commits = self.runs.load(&head.run_id, 0).await?;
        let Some(first) = commits.first() else { return Ok(None) };
        let run_id = head.run_id.clone();
        if first.cause_id == format!("rejected:{}", self.sent.message_id) {
            return Ok(Some(Found::Rejected(run_id)));
        }
        let is_own = self.sent.intake.as_ref().is_some_and(|intake| {
            let is_requested = intake.playbook.is_none() || intake.playbook == head.playbook;
            let is_cause = intake.dedupe_key == first.cause_id || is_of_ticket(intake, &first.cause_id);
            is_cause && is_requested
        });
        let was_there = self.before.heads.iter().any(|before| before.run_id == run_id);
        let is_old = head.started_at < Timestamp(self.sent_at.0.saturating_sub(SKEW_MS));
        let found = if was_there || is_old { Found::Known(run_id) } else { Found::Started(run_id) };
        Ok(is_own.then_some(found))
    }

    /// Whether a run of another incident has recorded this one.
    async fn find_joined(&mut self, mut heads: Vec<RunHead>) -> anyhow::Result<Option<Found>> {
        let Some(incident_id) = self.sent.incident_id.clone() else { return Ok(None) };
        for status in RunStatus::ALL.into_iter().filter(|status| !status.is_terminal()) {
            let filter = RunFilter { status: Some(status), ..RunFilter::default() };
            heads.extend(self.runs.list(&filter, PAGE, None).await?.runs);
        }
        // Newest writes first.
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

/// Whether one of the tickets of `intake` caused the run.
fn is_of_ticket(intake: &Intake, cause_id: &str) -> bool {
    let ticket = cause_id.strip_suffix(&intake.dedupe_key);
    ticket.is_some_and(|ticket| ticket.starts_with("ticket:") && ticket.ends_with(':'))
}
