//! A line each minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval_at};

use super::{Done, Soak};
use crate::home::Home;
use crate::load::Load;
use crate::reading;
use crate::seen::Seen;
use crate::signal::sent;

const EVERY: Duration = Duration::from_mins(1);

/// The task that prints the lines.
pub(super) struct Progress {
    printing: JoinHandle<()>,
}

struct Parts {
    home: Arc<Home>,
    load: Arc<Load>,
    seen: Arc<Seen>,
    done: Done,
    started: Instant,
}

impl Progress {
    pub(super) fn start(soak: &Soak, mut ends: watch::Receiver<bool>) -> Self {
        let (home, load, seen) = (Arc::clone(&soak.home), Arc::clone(&soak.load), Arc::clone(&soak.seen));
        let parts = Parts { home, load, seen, done: soak.done.clone(), started: Instant::now() };
        let printing = tokio::spawn(async move {
            let mut minutes = interval_at(parts.started + EVERY, EVERY);
            loop {
                tokio::select! {
                    () = sent(&mut ends) => return,
                    _ = minutes.tick() => println!("{}", parts.line().await),
                }
            }
        });
        Self { printing }
    }

    pub(super) async fn end(self) -> anyhow::Result<()> {
        Ok(self.printing.await?)
    }
}

impl Parts {
    async fn line(&self) -> String {
        let sent = self.load.sent();
        let outcomes = match reading::heads(&*self.home.runs()).await {
            Ok(heads) => {
                let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
                for head in heads {
                    *outcomes.entry(head.outcome.map_or("live", |outcome| outcome.as_str())).or_default() += 1;
                }
                let counts: Vec<_> = outcomes.iter().map(|(outcome, runs)| format!("{runs} {outcome}")).collect();
                counts.join(", ")
            }
            Err(error) => format!("{error:#}"),
        };
        let home = match self.home.size().await {
            Some(size) => format!("{} MiB memory, {} KiB stored", size.resident_kib / 1024, size.stored_bytes / 1024),
            None => match self.home.rest().await {
                Ok(rest) => format!("{} queued", rest.queued),
                Err(error) => format!("{error:#}"),
            },
        };
        let count = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        format!(
            "{:>4} min  {} incidents, {} again, {} unreadable | {outcomes} | {} effects | {} faults, {} of AWS, {} kills, {} answers, {} brakes | {home}",
            self.started.elapsed().as_secs() / 60,
            sent.incidents.len(),
            sent.again,
            sent.unreadable,
            self.seen.count(),
            count(&self.done.faults),
            count(&self.done.troubles),
            count(&self.done.kills),
            count(&self.done.answers),
            count(&self.done.brakes),
        )
    }
}
