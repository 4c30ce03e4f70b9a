//! Demotion: a playbook whose runs heal too rarely goes down one level of autonomy, and only people bring it up again.
//!
//! It is decided when a run has ended badly, by the index of runs alone: a run that ends well costs nothing more.

use heal_engine::RunId;
use heal_engine::event::{Commit, Event, RunOutcome};
use heal_guard::{AutonomySetting, DEMOTION, Demote, Share, is_good, level_of, lowered};

use super::Dispatcher;
use super::cache::Live;
use crate::port::{Result, RunFilter};

/// Runs that one page of the index has.
const PAGE: usize = 100;
/// Pages that are read at most: runs whose outcome says nothing may lie between those that count.
const PAGES: usize = 3;

impl Dispatcher {
    /// If `commit` ended a live run badly, lowers the level of its playbook if too few of the last runs healed. A failure is logged: the next
    /// bad end decides again.
    pub(super) async fn demote_after(&self, live: &Live, commit: &Commit) {
        let state = &live.state;
        let ended = commit
            .events
            .iter()
            .find_map(|event| if let Event::RunEnded { outcome, .. } = event { Some(*outcome) } else { None });
        let Some(outcome) = ended.filter(|outcome| is_good(*outcome) == Some(false) && !state.mode.is_shadow()) else {
            return;
        };
        let playbook = &live.plan.playbook.name;
        if let Err(error) = self.demote(playbook, &state.run_id, outcome).await {
            tracing::error!(
                playbook,
                error = &error as &dyn std::error::Error,
                "failed to judge a playbook's autonomy"
            );
        }
    }

    async fn demote(&self, playbook: &str, run_id: &RunId, outcome: RunOutcome) -> Result<()> {
        let autonomy = &self.autonomy;
        let demote = autonomy.guardrails.demotion(playbook);
        if demote.below_percent == 0 {
            return Ok(());
        }
        let setting = autonomy.settings.setting(playbook).await?;
        let level = level_of(playbook, &autonomy.guardrails.autonomy, setting.as_ref());
        let Some(level) = lowered(level.map(|autonomy| autonomy.level).unwrap_or_default()) else { return Ok(()) };
        // Runs under an earlier level do not count against a person who has promoted the playbook since.
        let since = setting.as_ref().map(|setting| setting.since);
        let filter = RunFilter { playbook: Some(playbook.to_owned()), since, ..RunFilter::default() };
        let Some(share) = self.share(&filter, demote, run_id, outcome).await? else { return Ok(()) };
        let Share { good, of } = share;
        let reason = format!("{good} of the last {of} runs healed, fewer than {} %", demote.below_percent);
        let next = AutonomySetting {
            playbook: playbook.to_owned(),
            level,
            by: DEMOTION.to_owned(),
            reason,
            since: self.now(),
            history: Vec::new(),
        }
        .after(setting);
        if autonomy.settings.replace(&next, since).await? {
            let (level, reason) = (next.level.as_str(), &next.reason);
            tracing::warn!(event = "autonomy.demoted", playbook, level, reason, "a playbook lost a level of autonomy");
            self.observer.demoted(playbook, next.level);
            self.tell_demoted(&next).await;
        }
        Ok(())
    }

    /// The share of the newest runs that healed, if it is under the bound. The index may not show the end of `run_id` yet.
    async fn share(
        &self,
        filter: &RunFilter,
        demote: Demote,
        run_id: &RunId,
        outcome: RunOutcome,
    ) -> Result<Option<Share>> {
        let (mut outcomes, mut cursor) = (vec![outcome], None);
        for _ in 0..PAGES {
            let page = self.ports.runs.list(filter, PAGE, cursor.as_deref()).await?;
            let others = page.runs.iter().filter(|head| head.run_id != *run_id);
            outcomes.extend(others.filter_map(|head| head.outcome));
            let counted = outcomes.iter().filter(|outcome| is_good(**outcome).is_some()).count();
            cursor = page.next;
            if cursor.is_none() || counted >= usize::try_from(demote.of_last).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(demote.fallen(outcomes))
    }
}
