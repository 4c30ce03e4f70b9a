//! `heal serve` alone under load, for a profiler that the caller attaches.

use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::load;
use crate::peer::Peer;
use crate::tickets::Tickets;

/// Runs before the process is named.
const WARM_UP: usize = 500;

/// Prints the id of the process once it is warm, then keeps it busy with `runs`, so many `at_once`. Begins with a copy of the state file `state`, if
/// there is one.
///
/// # Errors
/// heal does not start, or a run fails.
pub async fn serve(
    program: &str,
    (folder, state): (&Path, Option<&Path>),
    (runs, at_once): (usize, usize),
    http: &reqwest::Client,
) -> Result<(), String> {
    let tickets = Tickets::start().await.map_err(|error| error.to_string())?;
    let folder = TempDir::new_in(folder).map_err(|error| error.to_string())?;
    if let Some(state) = state {
        let copy = folder.path().join("heal.db");
        // The copy is on the disk before anything is timed.
        let copied = std::fs::copy(state, &copy).and_then(|_| std::fs::File::open(&copy)?.sync_all());
        copied.map_err(|error| format!("failed to copy {}: {error}", state.display()))?;
    }
    let peer = Arc::new(Peer::heal(program, &tickets.url, folder, http).await?);
    // The state may have runs of an earlier call.
    let name = |what: &str| format!("{what}-{}", std::process::id());
    load::drive(&peer, http, (&name("warm"), at_once, WARM_UP)).await?;
    if state.is_some() {
        eprintln!("busy for {:.0} s after the start", peer.settle().await.as_secs_f64());
    }
    peer.ids().iter().for_each(|id| println!("{id}"));
    let many = load::drive(&peer, http, (&name("many"), at_once, runs)).await?;
    eprintln!("{:.0} runs/s, p50 {:.1} ms, p99 {:.1} ms", many.per_second(), many.quantile(0.5), many.quantile(0.99));
    Ok(())
}
