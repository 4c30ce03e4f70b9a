//! The phases of a soak.

mod interrupt;
mod progress;
mod reading;

use std::fs;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::Context as _;
use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::Platform;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::home::{Home, Serving, root};
use crate::load::{Load, UNREADABLE};
use crate::seen::Seen;
use crate::settings::Settings;
use crate::signal::sent;
use crate::world::World;
use crate::{account::Account, people, trouble};
use interrupt::Interrupt;
use progress::Progress;

/// How long everything may take to end once the faults have stopped: a run of five minutes, attempts that hang and backoffs before it, and half
/// of that again.
const PATIENCE: Duration = Duration::from_mins(20);
const POLL: Duration = Duration::from_secs(2);
/// Between two readings of the services' journal.
const READ_EVERY: Duration = Duration::from_secs(20);
/// The part of the load that has kills, in quarters.
const QUARTERS_WITH_KILLS: u32 = 3;
/// By how much the memory of a process may grow over the last quarter, in KiB: caches fill, and a leak of a soak of hours is more.
const GROWTH_KIB: u64 = 96 * 1024;

/// Counts of what was done to the engine.
#[derive(Debug, Clone, Default)]
struct Done {
    faults: Arc<AtomicU64>,
    kills: Arc<AtomicU64>,
    answers: Arc<AtomicU64>,
    brakes: Arc<AtomicU64>,
}

/// A soak under way.
struct Soak {
    world: World,
    home: Arc<Home>,
    platform: Arc<Platform>,
    load: Arc<Load>,
    seen: Arc<Seen>,
    done: Done,
}

/// Runs a whole soak. Whether everything agrees.
pub(crate) async fn run(settings: &Settings) -> anyhow::Result<bool> {
    let seed = settings.seed.unwrap_or_else(|| SystemClock.now().0);
    let world = World { seed };
    let folder = root().join(".heal/soak").join(seed.to_string());
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
    let platform = Arc::new(Platform::start(world.platform(settings.incidents()?))?);
    let home = Arc::new(Home::Serving(Serving::start(folder, platform.env()).await?));
    println!(
        "a soak of {} hours, an incident each {} ms, seed {seed}, in {}",
        settings.hours,
        settings.interval().as_millis(),
        home.folder().display()
    );
    let soak = Soak { world, home, platform, load: Arc::default(), seen: Arc::default(), done: Done::default() };
    let faults = soak.play(settings).await?;
    for fault in &faults {
        println!("does not balance: {fault}");
    }
    if faults.is_empty() {
        println!("the account balances");
        fs::remove_dir_all(soak.home.folder())?;
        return Ok(true);
    }
    println!(
        "failed: {} findings; repeat with SEED={seed}; the state file is kept in {}",
        faults.len(),
        soak.home.folder().display()
    );
    Ok(false)
}

impl Soak {
    /// What does not agree, as sentences.
    async fn play(&self, settings: &Settings) -> anyhow::Result<Vec<String>> {
        let (everything_ended, ends) = watch::channel(false);
        let (load_ended, load_ends) = watch::channel(false);
        let watching = tokio::spawn(watch_services(Arc::clone(&self.platform), Arc::clone(&self.seen), ends.clone()));
        let progress = Progress::start(self, ends.clone());
        let answering = tokio::spawn(people::answers(
            Arc::clone(&self.home),
            self.world.seed,
            Arc::clone(&self.done.answers),
            load_ends,
            ends,
        ));
        let memory = self.load_up(settings, load_ended).await?;
        let drained = self.drain().await?;
        // The people end first: nothing changes any more.
        let _ = everything_ended.send(true);
        for task in [watching, answering] {
            task.await?;
        }
        progress.end().await?;
        self.seen.read(&self.platform);
        let account = self.account().await?;
        println!("{account}");
        let mut faults = drained;
        faults.extend(memory);
        faults.extend(account.faults());
        faults.extend(self.home.rest()?.findings);
        faults.extend(self.audit().await?);
        faults.extend(self.home.collect(account.dead_letters.len()).await?);
        Ok(faults)
    }

    /// Load, faults, kills and brakes for the whole length, or until somebody interrupts. What is wrong with the memory.
    async fn load_up(&self, settings: &Settings, load_ended: watch::Sender<bool>) -> anyhow::Result<Option<String>> {
        let (seed, home, ends) = (self.world.seed, || Arc::clone(&self.home), || load_ended.subscribe());
        let load = Arc::clone(&self.load).run(home(), self.world, settings.interval(), ends());
        let faults = trouble::faults(Arc::clone(&self.platform), seed, Arc::clone(&self.done.faults), ends());
        let brakes = people::brakes(home(), seed, Arc::clone(&self.done.brakes), ends());
        let tasks = [tokio::spawn(load), tokio::spawn(faults), tokio::spawn(brakes)];
        let (kills_ended, kills_end) = watch::channel(false);
        let killing = tokio::spawn(trouble::kills(home(), seed, Arc::clone(&self.done.kills), kills_end));
        let interrupt = Interrupt::listen();
        let with_kills = settings.length() * QUARTERS_WITH_KILLS / 4;
        interrupt.wait(with_kills).await;
        let _ = kills_ended.send(true);
        killing.await??;
        // A process is not young any more when its memory counts for the first time.
        let rest = settings.length().saturating_sub(with_kills);
        interrupt.wait(rest / 3).await;
        let before = self.home.size().await.resident_kib;
        interrupt.wait(rest * 2 / 3).await;
        let after = self.home.size().await.resident_kib;
        let _ = load_ended.send(true);
        for task in tasks {
            task.await?;
        }
        println!(
            "memory        {before} KiB after a third of the last quarter, {after} KiB at its end, without a restart between them"
        );
        let has_grown = !interrupt.is_asked() && after.saturating_sub(before) > GROWTH_KIB;
        Ok(has_grown
            .then(|| format!("the memory grew from {before} to {after} KiB, the limit is {GROWTH_KIB} KiB more")))
    }

    /// Waits until every run has ended and every queue is empty.
    async fn drain(&self) -> anyhow::Result<Vec<String>> {
        let started = Instant::now();
        loop {
            let (live, queued) = (reading::live(&*self.home.runs()).await?, self.home.rest()?.queued);
            if live == 0 && queued == 0 {
                println!("drained       in {} s", started.elapsed().as_secs());
                return Ok(Vec::new());
            }
            if started.elapsed() > PATIENCE {
                let waited = PATIENCE.as_secs();
                return Ok(vec![format!(
                    "{live} live runs and {queued} messages are left {waited} s after the last fault"
                )]);
            }
            sleep(POLL).await;
        }
    }

    async fn account(&self) -> anyhow::Result<Account> {
        let sent = self.load.sent();
        let dead_letters = self.home.dead_letters().list(usize::MAX >> 1).await?;
        Ok(Account {
            sent: sent.incidents,
            unreadable: sent.unreadable,
            runs: reading::entries(&*self.home.runs()).await?,
            seen: self.seen.effects(),
            queued: self.home.rest()?.queued,
            dead_letters: dead_letters.into_iter().map(|letter| letter.body).collect(),
            unreadable_mark: UNREADABLE,
        })
    }

    /// The hash chain of every log.
    async fn audit(&self) -> anyhow::Result<Option<String>> {
        let output = self.home.heal(&["audit", "verify"]).await?;
        let said = || String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        Ok((!output.status.success()).then(|| format!("heal audit verify: {}", said())))
    }
}

async fn watch_services(platform: Arc<Platform>, seen: Arc<Seen>, mut ends: watch::Receiver<bool>) {
    loop {
        seen.read(&platform);
        tokio::select! {
            () = sent(&mut ends) => return,
            () = sleep(READ_EVERY) => {}
        }
    }
}
