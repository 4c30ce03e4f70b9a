//! What stored runs cost the next ones: `heal serve` alone, measured with few of them and with many.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use tempfile::TempDir;

use crate::load;
use crate::peer::Peer;
use crate::tickets::Tickets;

/// Stored runs of each row: many more than those that the row before timed.
const STORED: [usize; 4] = [10, 10_000, 100_000, 1_000_000];
/// Stored runs that heal makes itself; the others are copies of them, which take a tenth of the time.
const MADE: usize = 100_000;
/// Makes the copies.
const COPIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/copies.py");
/// Runs that are timed one at a time.
const AT_1: usize = 200;
/// Runs that are timed 64 at a time.
const AT_64: usize = 2_000;
/// Lists that are timed.
const LISTS: usize = 21;
const MANY: usize = 64;
/// Runs before anything is timed, where heal was started anew.
const WARM_UP: usize = 500;

/// Kills heal, and returns the folder of its state.
async fn end(peer: Arc<Peer>) -> Result<TempDir, String> {
    Ok(Arc::into_inner(peer).ok_or("a run is still under way")?.end().await)
}

/// Fills the state file `path` to `goal` runs or a few less, and returns their number.
async fn copy(path: &Path, goal: usize) -> Result<usize, String> {
    let failed = |why: &dyn std::fmt::Display| format!("failed to copy runs by {COPIES}: {why}");
    let output = tokio::process::Command::new("python3").arg(COPIES).arg(path).arg(goal.to_string()).output();
    let output = output.await.map_err(|error| failed(&error))?;
    let printed = String::from_utf8_lossy(&output.stdout);
    printed.trim().parse().map_err(|_| failed(&String::from_utf8_lossy(&output.stderr)))
}

/// Prints a row for each of [`STORED`] up to `most`. The timed runs are stored too, so each row says how many there were.
///
/// # Errors
/// heal does not start, or a run fails.
pub async fn measure(program: &str, folder: &Path, most: usize, http: &reqwest::Client) -> Result<(), String> {
    let tickets = Tickets::start().await.map_err(|error| error.to_string())?;
    let folder = TempDir::new_in(folder).map_err(|error| error.to_string())?;
    let mut peer = Arc::new(Peer::heal(program, &tickets.url, folder, http).await?);
    println!(
        "| stored runs | runs/s at 64 | p50 at 1, ms | list of 50, ms | state file, MB | start after kill -9, ms | then busy, s |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut stored = 0;
    for goal in STORED.into_iter().take_while(|goal| *goal <= most) {
        if goal > MADE {
            let folder = end(peer).await?;
            stored = copy(&folder.path().join("heal.db"), goal).await?;
            peer = Arc::new(Peer::heal(program, &tickets.url, folder, http).await?);
            load::drive(&peer, http, ("warm", MANY, WARM_UP)).await?;
            stored += WARM_UP;
        } else {
            let missing = goal.saturating_sub(stored);
            load::drive(&peer, http, (&format!("fill-{goal}"), MANY, missing)).await?;
            stored += missing;
        }
        eprintln!("{stored} runs are stored");
        peer.settle().await;
        let one = load::drive(&peer, http, (&format!("one-{goal}"), 1, AT_1)).await?;
        let many = load::drive(&peer, http, (&format!("many-{goal}"), MANY, AT_64)).await?;
        let mut lists = Vec::new();
        for _ in 0..LISTS {
            lists.push(peer.list_ms(http).await?);
        }
        lists.sort_by(f64::total_cmp);
        let (size, list) = (peer.state_mb(), lists.get(LISTS / 2).copied().unwrap_or(f64::NAN));
        let killed = end(peer).await?;
        let started = Instant::now();
        peer = Arc::new(Peer::heal(program, &tickets.url, killed, http).await?);
        let start_ms = started.elapsed().as_secs_f64() * 1_000.0;
        println!(
            "| {stored} | {:.0} | {:.1} | {list:.1} | {size:.1} | {start_ms:.0} | {:.0} |",
            many.per_second(),
            one.quantile(0.5),
            peer.settle().await.as_secs_f64()
        );
        stored += AT_1 + AT_64;
    }
    Ok(())
}
