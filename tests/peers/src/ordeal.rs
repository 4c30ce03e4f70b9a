//! What every hostile peer is held to.

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::hostile::{Act, Hostile};

/// Calls at once.
const CALLS: usize = 40;
/// The time of each call.
const TIME: Duration = Duration::from_millis(700);
/// How much later than its time a call may end, and how long other work may be held up: of a machine with other work, unoptimised: there one of them took 34 seconds without bounds.
const TOLERANCE: Duration = Duration::from_millis(1_500);
/// Memory that all calls may cost together, in KiB: 2 MiB for each, the longest answer and as much again.
const MEMORY_KIB: u64 = 80 * 1024;

/// The tests of this program measure its memory, so they take turns.
static TURN: Mutex<()> = Mutex::const_new(());

/// What the calls have to come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Each fails.
    Failure,
    /// Whatever the client makes of it.
    Any,
}

/// Makes 40 calls at once of a server that acts in this way. `client` gets the server, and makes of a call's time the call.
pub async fn undergo<C, F>(name: &str, act: Act, expected: Outcome, client: impl AsyncFnOnce(&Hostile) -> C)
where
    C: Fn(Duration) -> F,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let _turn = TURN.lock().await;
    let server = Hostile::start(act);
    let call = client(&server).await;
    LONGEST.store(0, Ordering::SeqCst);
    forget_peak_memory();
    let before = peak_memory_kib();
    let watch = tokio::spawn(longest_hold_up());
    let started = Instant::now();
    let calls: Vec<_> = (0..CALLS).map(|_| tokio::spawn(call(TIME))).collect();
    for call in calls {
        let result = call.await.unwrap();
        assert!(expected == Outcome::Any || result.is_err(), "{name}: a call succeeded");
    }
    let took = started.elapsed();
    assert!(server.accepted() > 0, "{name}: nobody called");
    assert!(took < TIME + TOLERANCE, "{name}: took {took:?}");
    drop(call);
    let closing = Instant::now();
    while server.open() > 0 {
        assert!(closing.elapsed() < TOLERANCE, "{name}: {} connections are still open", server.open());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    watch.abort();
    let grown = peak_memory_kib().saturating_sub(before);
    let hold_up = LONGEST.swap(0, Ordering::SeqCst);
    eprintln!("{name}: {took:?}, held up {hold_up} ms, {grown} KiB, {} connections", server.accepted());
    assert!(u128::from(hold_up) < TOLERANCE.as_millis(), "{name}: other work was held up for {hold_up} ms");
    assert!(grown < MEMORY_KIB, "{name}: cost {grown} KiB");
}

/// The longest time in milliseconds for which work that was due was held up.
static LONGEST: AtomicU64 = AtomicU64::new(0);

async fn longest_hold_up() {
    const TICK: Duration = Duration::from_millis(10);
    loop {
        let due = Instant::now() + TICK;
        tokio::time::sleep_until(due).await;
        let late = u64::try_from(due.elapsed().as_millis()).unwrap();
        LONGEST.fetch_max(late, Ordering::SeqCst);
    }
}

/// The peak is counted from now on (proc(5), `clear_refs`).
fn forget_peak_memory() {
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
}

fn peak_memory_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
