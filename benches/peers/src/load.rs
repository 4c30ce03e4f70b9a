//! A closed loop: as many runs at once as are asked for; the next one starts when one has ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::peer::Peer;

/// Between two questions whether a run has ended, once its last ticket was changed.
const POLL: Duration = Duration::from_micros(500);
/// The longest run.
const LONGEST: Duration = Duration::from_secs(60);

/// Who waits for the last change of a run's tickets.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<String, oneshot::Sender<()>>>);

impl Waiting {
    fn wait(&self, ticket: String) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().expect("no thread panics with it").insert(ticket, sender);
        receiver
    }

    /// Wakes those whose tickets arrive, for ever.
    pub async fn serve(&self, mut changes: UnboundedReceiver<String>) {
        while let Some(ticket) = changes.recv().await {
            if let Some(sender) = self.0.lock().expect("no thread panics with it").remove(&ticket) {
                let _ = sender.send(());
            }
        }
    }
}

/// What a loop took.
#[derive(Debug, Clone)]
pub struct Times {
    pub seconds: f64,
    /// Of each run in milliseconds, sorted.
    pub runs_ms: Vec<f64>,
}

impl Times {
    pub fn per_second(&self) -> f64 {
        self.runs_ms.len() as f64 / self.seconds
    }

    /// In milliseconds; `share` from 0 to 1.
    pub fn quantile(&self, share: f64) -> f64 {
        let last = self.runs_ms.len().saturating_sub(1);
        self.runs_ms.get((last as f64 * share).round() as usize).copied().unwrap_or(f64::NAN)
    }
}

/// Heals `runs` incidents, whose tickets' names begin with `name`.
///
/// # Errors
/// A run fails or takes longer than [`LONGEST`].
pub async fn drive(
    peer: &Arc<Peer>,
    http: &reqwest::Client,
    waiting: &Arc<Waiting>,
    (name, at_once, runs): (&str, usize, usize),
) -> Result<Times, String> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let (peer, http, waiting) = (Arc::clone(peer), http.clone(), Arc::clone(waiting));
            let (next, name) = (Arc::clone(&next), name.to_owned());
            tokio::spawn(async move {
                let mut times = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= runs {
                        return Ok::<_, String>(times);
                    }
                    let ticket = format!("{name}-{number}");
                    let begun = Instant::now();
                    let run = run_one(&peer, &http, &waiting, &ticket);
                    timeout(LONGEST, run).await.map_err(|_| format!("{ticket}: no end within {LONGEST:?}"))??;
                    times.push(begun.elapsed().as_secs_f64() * 1_000.0);
                }
            })
        })
        .collect();
    let mut runs_ms = Vec::with_capacity(runs);
    for caller in callers {
        runs_ms.extend(caller.await.map_err(|error| error.to_string())??);
    }
    runs_ms.sort_by(f64::total_cmp);
    Ok(Times { seconds: started.elapsed().as_secs_f64(), runs_ms })
}

async fn run_one(peer: &Peer, http: &reqwest::Client, waiting: &Waiting, ticket: &str) -> Result<(), String> {
    let changed = waiting.wait(format!("{ticket}-4"));
    if peer.begin(http, ticket).await? {
        return Ok(());
    }
    // Asking all the time would burden the engine: its end follows the last change.
    let _ = changed.await;
    while !peer.is_over(http, ticket).await? {
        sleep(POLL).await;
    }
    Ok(())
}
