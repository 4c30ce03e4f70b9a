//! The phases of a soak.

mod interrupt;
mod progress;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use heal_runtime::port::{Clock as _, SystemClock};
use heal_sandbox::Platform;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::account::{self, Account};
use crate::home::{Deployed, Home, Serving, root};
use crate::load::{Load, UNREADABLE};
use crate::seen::Seen;
use crate::settings::Settings;
use crate::signal::sent;
use crate::world::World;
use crate::{people, reading, trouble};
use interrupt::Interrupt;
use progress::Progress;

const POLL: Duration = Duration::from_secs(2);
/// Between two resumptions of everything while runs still have to end.
const RELEASE_EVERY: Duration = Duration::from_mins(1);
/// How long a reading of the home may fail: a local AWS beside other work answers late.
const READ_PATIENCE: Duration = Duration::from_mins(5);
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
    /// Of AWS.
    troubles: Arc<AtomicU64>,
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
    let folder = folder_for(seed)?;
    let platform = Arc::new(Platform::start(world.platform(settings.incidents()?))?);
    println!(
        "a soak of {} hours, an incident each {} ms, seed {seed}, in {}",
        settings.hours,
        settings.interval().as_millis(),
        folder.display()
    );
    let home = Arc::new(if settings.stack {
        Home::Deployed(Box::new(Deployed::start(folder, Arc::clone(&platform), seed).await?))
    } else {
        Home::Serving(Box::new(Serving::start(folder, platform.env()).await?))
    });
    let soak = Soak { world, home, platform, load: Arc::default(), seen: Arc::default(), done: Done::default() };
    let faults = match soak.play(settings).await {
        Ok(faults) => faults,
        Err(error) => {
            println!("the evidence so far is kept in {}", soak.home.folder().display());
            soak.home.keep_evidence().await?;
            return Err(error);
        }
    };
    for fault in &faults {
        println!("does not balance: {fault}");
    }
    if faults.is_empty() {
        println!("the account balances");
        fs::remove_dir_all(soak.home.folder())?;
        return Ok(true);
    }
    println!(
        "failed: {} findings; repeat with SEED={seed}; the evidence is kept in {}",
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
        if let Some(told) = self.home.told() {
            println!("trouble       {told}");
        }
        let mut faults = drained;
        faults.extend(memory);
        faults.extend(account.faults());
        faults.extend(patiently("the store", async || self.home.rest().await).await?.findings);
        faults.extend(self.audit().await?);
        if !faults.is_empty() {
            self.home.keep_evidence().await?;
        }
        faults.extend(self.home.collect(account.dead_letters.len()).await?);
        Ok(faults)
    }

    /// Load, faults, kills and brakes for the whole length, or until somebody interrupts. What is wrong with the memory.
    async fn load_up(&self, settings: &Settings, load_ended: watch::Sender<bool>) -> anyhow::Result<Option<String>> {
        let (seed, home, ends) = (self.world.seed, || Arc::clone(&self.home), || load_ended.subscribe());
        let load = Arc::clone(&self.load).run(home(), self.world, settings.interval(), ends());
        let faults = trouble::faults(Arc::clone(&self.platform), seed, Arc::clone(&self.done.faults), ends());
        let brakes = people::brakes(home(), seed, Arc::clone(&self.done.brakes), ends());
        let mut tasks = vec![tokio::spawn(load), tokio::spawn(faults), tokio::spawn(brakes)];
        if let Some(front) = self.home.front() {
            tasks.push(tokio::spawn(trouble::aws(front, seed, Arc::clone(&self.done.troubles), ends())));
        }
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
        let before = self.home.size().await;
        interrupt.wait(rest * 2 / 3).await;
        let after = self.home.size().await;
        let _ = load_ended.send(true);
        for task in tasks {
            task.await?;
        }
        let (Some(before), Some(after)) = (before, after) else { return Ok(None) };
        let (before, after) = (before.resident_kib, after.resident_kib);
        println!(
            "memory        {before} KiB after a third of the last quarter, {after} KiB at its end, without a restart between them"
        );
        let has_grown = !interrupt.is_asked() && after.saturating_sub(before) > GROWTH_KIB;
        Ok(has_grown
            .then(|| format!("the memory grew from {before} to {after} KiB, the limit is {GROWTH_KIB} KiB more")))
    }

    /// Waits until every run has ended and every queue is empty.
    async fn drain(&self) -> anyhow::Result<Vec<String>> {
        let (started, patience) = (Instant::now(), self.home.patience());
        let mut released = started;
        loop {
            // A halt whose message failed while its order was given comes after the resumption.
            if released.elapsed() > RELEASE_EVERY {
                people::release(&self.home).await;
                released = Instant::now();
            }
            let queued = patiently("the queues", async || self.home.rest().await).await?.queued;
            let is_late = started.elapsed() > patience;
            // The runs are read only if they matter: there may be many.
            if queued == 0 || is_late {
                let live = patiently("the live runs", async || reading::live(&*self.home.runs()).await).await?;
                if live == 0 && queued == 0 {
                    println!("drained       in {} s", started.elapsed().as_secs());
                    return Ok(Vec::new());
                }
                if is_late {
                    let waited = patience.as_secs();
                    return Ok(vec![format!(
                        "{live} live runs and {queued} messages are left {waited} s after the last fault"
                    )]);
                }
            }
            sleep(POLL).await;
        }
    }

    async fn account(&self) -> anyhow::Result<Account> {
        let sent = self.load.sent();
        let listed = async || Ok(self.home.dead_letters().list(usize::MAX >> 1).await?);
        let dead_letters = patiently("the dead letters", listed).await?;
        Ok(Account {
            sent: sent.incidents,
            unreadable: sent.unreadable,
            runs: patiently("the runs", async || reading::entries(&*self.home.runs()).await).await?,
            seen: self.seen.effects(),
            queued: patiently("the queues", async || self.home.rest().await).await?.queued,
            dead_letters: account::bodies(dead_letters),
            unreadable_mark: UNREADABLE,
        })
    }

    /// The hash chain of every log.
    async fn audit(&self) -> anyhow::Result<Option<String>> {
        // It says with 1 that a chain does not fit, and with another code that it cannot read.
        let verified = async || {
            let output = self.home.heal(&["audit", "verify"]).await?;
            ensure!(matches!(output.status.code(), Some(0 | 1)), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(output)
        };
        let output = patiently("the audit chains", verified).await?;
        let said = || String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned();
        Ok((!output.status.success()).then(|| format!("heal audit verify: {}", said())))
    }
}

/// A new folder: an earlier soak with this seed may have left its evidence.
fn folder_for(seed: u64) -> anyhow::Result<PathBuf> {
    let soaks = root().join(".heal/soak");
    let names = std::iter::once(seed.to_string()).chain((2_u32..).map(|number| format!("{seed}-{number}")));
    let folder = names.map(|name| soaks.join(name)).find(|folder| !folder.exists()).unwrap_or(soaks);
    fs::create_dir_all(&folder).with_context(|| format!("failed to create {}", folder.display()))?;
    Ok(folder)
}

/// Tries again for a while what fails because the machine is busy: the soak judges what is stored, not how soon it can be read.
async fn patiently<T>(what: &str, read: impl AsyncFn() -> anyhow::Result<T>) -> anyhow::Result<T> {
    let started = Instant::now();
    loop {
        match read().await {
            Err(error) if started.elapsed() < READ_PATIENCE => {
                println!("{what} could not be read and are tried again: {error:#}");
                sleep(POLL).await;
            }
            read => return read.with_context(|| format!("{what} could not be read")),
        }
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
