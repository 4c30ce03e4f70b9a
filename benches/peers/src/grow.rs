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
/// Runs that are timed one at a time.
const AT_1: usize = 200;
/// Runs that are timed 64 at a time.
const AT_64: usize = 2_000;
/// Lists that are timed.
const LISTS: usize = 21;
const MANY: usize = 64;

/// Prints a row for each of [`STORED`] up to `most`. The timed runs are stored too, so each row says how many there were.
///
/// # Errors
/// heal does not start, or a run fails.
pub async fn measure(program: &str, folder: &Path, most: usize, http: &reqwest::Client) -> Result<(), String> {
    let tickets = Tickets::start().await.map_err(|error| error.to_string())?;
    let folder = TempDir::new_in(folder).map_err(|error| error.to_string())?;
    let mut peer = Arc::new(Peer::heal(program, &tickets.url, folder, http).await?);
    println!(
        "| stored runs | runs/s at 64 | p50 at 1, ms | list of 50, ms | state file, MB | start after kill -9, ms |"
    );
    println!("|---|---|---|---|---|---|");
    let mut stored = 0;
    for goal in STORED.into_iter().take_while(|goal| *goal <= most) {
        let missing = goal.saturating_sub(stored);
        load::drive(&peer, http, (&format!("fill-{goal}"), MANY, missing)).await?;
        stored += missing;
        eprintln!("{stored} runs are stored");
        let one = load::drive(&peer, http, (&format!("one-{goal}"), 1, AT_1)).await?;
        let many = load::drive(&peer, http, (&format!("many-{goal}"), MANY, AT_64)).await?;
        let mut lists = Vec::new();
        for _ in 0..LISTS {
            lists.push(peer.list_ms(http).await?);
        }
        lists.sort_by(f64::total_cmp);
        let (size, list) = (peer.state_mb(), lists.get(LISTS / 2).copied().unwrap_or(f64::NAN));
        let killed = Arc::into_inner(peer).ok_or("a run is still under way")?.end().await;
        let started = Instant::now();
        peer = Arc::new(Peer::heal(program, &tickets.url, killed, http).await?);
        let start_ms = started.elapsed().as_secs_f64() * 1_000.0;
        println!(
            "| {stored} | {:.0} | {:.1} | {list:.1} | {size:.1} | {start_ms:.0} |",
            many.per_second(),
            one.quantile(0.5)
        );
        stored += AT_1 + AT_64;
    }
    Ok(())
}
