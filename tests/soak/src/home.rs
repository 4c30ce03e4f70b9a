//! The engine under test, as the soak sees it: where it sends to, what it reads, what it kills.

mod deployed;
mod serving;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use heal_runtime::port::{DeadLetters, RunReader, Sender};
use serde_json::Value;

use crate::random::Random;
pub(crate) use deployed::{Deployed, Front, Service, Trouble};
pub(crate) use serving::Serving;

/// After so long every claim, cooldown, budget and window has ended, and every escalation that nobody acknowledged is forgotten.
const LATER_MS: u64 = 400 * 86_400_000;

/// What a home is made of for the moment, if it is one process over one file.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Size {
    /// Resident memory of the process, in KiB.
    pub resident_kib: u64,
    /// Bytes of what is stored.
    pub stored_bytes: u64,
}

/// What a home still has when everything has ended.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Messages on the queues, dead letters not counted.
    pub queued: u64,
    /// What is wrong with the store itself.
    pub findings: Vec<String>,
}

/// The engine under test.
pub(crate) enum Home {
    /// One `heal serve` over a state file.
    Serving(Box<Serving>),
    /// The template on a local AWS.
    Deployed(Box<Deployed>),
}

impl Home {
    /// Whether the engine took the incident. It may have taken it also if it did not say so.
    pub(crate) async fn accepts(&self, incident: &Value) -> bool {
        match self {
            Self::Serving(serving) => serving.accepts(incident).await,
            Self::Deployed(deployed) => deployed.accepts(incident).await,
        }
    }

    /// Kills a process of the engine in the midst of its work, and has it go on. False if none was at work.
    pub(crate) async fn kill(&self, random: &mut Random) -> anyhow::Result<bool> {
        match self {
            Self::Serving(serving) => serving.kill().await.map(|()| true),
            Self::Deployed(deployed) => Ok(deployed.kill(random).await),
        }
    }

    /// What stands between the engine and AWS; `None` where it uses none.
    pub(crate) fn front(&self) -> Option<Arc<Front>> {
        match self {
            Self::Serving(_) => None,
            Self::Deployed(deployed) => Some(Arc::clone(&deployed.front)),
        }
    }

    /// Runs `heal` against this home, as people do.
    pub(crate) async fn heal(&self, args: &[&str]) -> anyhow::Result<Output> {
        let mut command = Command::new(program("heal")?);
        command.env_clear().args(args).stdin(Stdio::null());
        match self {
            Self::Serving(serving) => command.args(serving.options()),
            Self::Deployed(deployed) => command.args(Deployed::options()).envs(deployed.env()),
        };
        let output = tokio::task::spawn_blocking(move || command.output()).await?;
        output.with_context(|| format!("failed to start heal {args:?}"))
    }

    /// As [`Home::heal`] with `--json`: each line of its output.
    pub(crate) async fn lines(&self, args: &[&str]) -> anyhow::Result<Vec<Value>> {
        let output = self.heal(&[args, &["--json"]].concat()).await?;
        ensure!(output.status.success(), "heal {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).context("the output of heal")?;
        text.lines().map(|line| serde_json::from_str(line).with_context(|| format!("heal {args:?}: {line}"))).collect()
    }

    /// How long everything may take to end once the faults have stopped.
    pub(crate) const fn patience(&self) -> Duration {
        match self {
            // A run of five minutes, attempts that hang and backoffs before it, and half of that again.
            Self::Serving(_) => Duration::from_mins(20),
            // As long, and twice the 12 minutes after which a command comes again whose function was killed.
            Self::Deployed(_) => Duration::from_mins(44),
        }
    }

    pub(crate) fn runs(&self) -> Arc<dyn RunReader> {
        match self {
            Self::Serving(serving) => Arc::new(serving.store.clone()),
            Self::Deployed(deployed) => Arc::new(deployed.store.clone()),
        }
    }

    pub(crate) fn sender(&self) -> Arc<dyn Sender> {
        match self {
            Self::Serving(serving) => Arc::new(serving.store.clone()),
            Self::Deployed(deployed) => Arc::new(deployed.queues.clone()),
        }
    }

    pub(crate) fn dead_letters(&self) -> Arc<dyn DeadLetters> {
        match self {
            Self::Serving(serving) => Arc::new(serving.store.clone()),
            Self::Deployed(deployed) => Arc::new(deployed.queues.clone()),
        }
    }

    pub(crate) async fn size(&self) -> Option<Size> {
        match self {
            Self::Serving(serving) => Some(serving.size().await),
            Self::Deployed(_) => None,
        }
    }

    pub(crate) async fn rest(&self) -> anyhow::Result<Rest> {
        match self {
            Self::Serving(serving) => serving.rest(),
            Self::Deployed(deployed) => deployed.rest().await,
        }
    }

    /// What happened to the home in particular, for people.
    pub(crate) fn told(&self) -> Option<String> {
        match self {
            Self::Serving(_) => None,
            Self::Deployed(deployed) => Some(deployed.told()),
        }
    }

    /// Ends the engine, and removes everything whose time is over in the far future. What is left then is never collected: each a sentence.
    pub(crate) async fn collect(&self, dead_letters: usize) -> anyhow::Result<Vec<String>> {
        match self {
            Self::Serving(serving) => serving.collect(dead_letters).await,
            Self::Deployed(deployed) => deployed.collect().await,
        }
    }

    /// Writes what would end with this process into the folder.
    pub(crate) async fn keep_evidence(&self) -> anyhow::Result<()> {
        match self {
            Self::Serving(_) => Ok(()),
            Self::Deployed(deployed) => deployed.keep_evidence().await,
        }
    }

    /// Where the evidence of a failed soak is.
    pub(crate) fn folder(&self) -> &Path {
        match self {
            Self::Serving(serving) => serving.folder(),
            Self::Deployed(deployed) => deployed.folder(),
        }
    }
}

/// A program that is built beside this one.
fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("failed to find this program")?;
    let path = own.with_file_name(name);
    ensure!(path.exists(), "{} does not exist; `make soak` builds it", path.display());
    Ok(path)
}

/// The root folder of the repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).to_owned()
}
