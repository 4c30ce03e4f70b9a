//! Reads the runs of a home.

use std::collections::BTreeMap;

use anyhow::Context as _;
use heal_engine::{Digest, Event, Plan};
use heal_runtime::port::{RunFilter, RunHead, RunReader};

use crate::entry::Entry;

/// Runs of one page of the list.
const PAGE_RUNS: usize = 500;

/// The heads of all runs.
pub(crate) async fn heads(runs: &dyn RunReader) -> anyhow::Result<Vec<RunHead>> {
    let (mut heads, mut cursor) = (Vec::new(), None);
    loop {
        let page = runs.list(&RunFilter::default(), PAGE_RUNS, cursor.as_deref()).await?;
        heads.extend(page.runs);
        match page.next {
            Some(next) => cursor = Some(next),
            None => return Ok(heads),
        }
    }
}

/// The number of runs that have not ended.
pub(crate) async fn live(runs: &dyn RunReader) -> anyhow::Result<usize> {
    Ok(heads(runs).await?.iter().filter(|head| head.outcome.is_none()).count())
}

/// What the log of every run says.
pub(crate) async fn entries(runs: &dyn RunReader) -> anyhow::Result<Vec<Entry>> {
    let (mut plans, mut entries): (BTreeMap<Digest, Plan>, _) = (BTreeMap::new(), Vec::new());
    for head in heads(runs).await? {
        let commits = runs.load(&head.run_id, 0).await?;
        let first = commits.first().and_then(|commit| commit.events.first());
        let digest = match first {
            Some(Event::RunStarted(started)) => Some(&started.plan_digest),
            _ => None,
        };
        if let Some(digest) = digest.filter(|digest| !plans.contains_key(*digest)) {
            let text = runs.plan(digest).await?.with_context(|| format!("the plan of {} is gone", head.run_id))?;
            plans.insert(digest.clone(), Plan::parse(digest, &text)?);
        }
        entries.push(Entry::read(&head.run_id, digest.and_then(|digest| plans.get(digest)), &commits));
    }
    Ok(entries)
}
