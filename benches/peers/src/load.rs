//! A closed loop: as many runs at once as are asked for; the next one starts when one has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::time::timeout;

use crate::peer::Peer;

/// The longest run.
const LONGEST: Duration = Duration::from_secs(60);

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
    (name, at_once, runs): (&str, usize, usize),
) -> Result<Times, String> {
    let next = Arc::new(AtomicUsize::new(0));
    let started = Instant::now();
    let callers: Vec<_> = (0..at_once)
        .map(|_| {
            let (peer, http) = (Arc::clone(peer), http.clone());
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
                    timeout(LONGEST, peer.run(&http, &ticket))
                        .await
                        .map_err(|_| format!("{ticket}: no end within {LONGEST:?}"))??;
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
