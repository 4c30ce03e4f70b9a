//! Where runs are kept: a state file or a deployed stack. Most commands work on either.

mod local_stack;
mod resolve;
mod stack;

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heal_clients::config::Env;
use heal_engine::RunId;
use heal_guard::Guardrails;
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::{AutonomyStore, DeadLetter, RunReader};
use heal_wiring::Ports;

pub(crate) use resolve::{BackendRef, StackName, StackRef};
pub(crate) use stack::Stack;

use crate::{guardrails, local, out, state};

/// How often the log of a state file is polled: another process writes it, and is not to be disturbed.
const POLL_FILE: Duration = Duration::from_millis(200);
/// How often the log of a table is polled: every read costs money.
const POLL_STACK: Duration = Duration::from_millis(500);

const STATE_HELP: &str = "SQLite file that keeps runs, queues and cooldowns [env: HEAL_STATE] \
                          [default: the stack of `make stack` if it exists, else .heal/state.db]";
const STACK_HELP: &str = "Name of the deployed stack in this region [env: HEAL_STACK, or HEAL_TABLE with HEAL_QUEUE_URL_PREFIX] \
                          [default: the stack of `make stack`]";

/// A state file or a stack.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct BackendArgs {
    // clap does not read the variables: options go before variables, whichever of the two backends they name.
    #[arg(long, value_name = "FILE.db", conflicts_with = "stack", help = STATE_HELP)]
    pub state: Option<PathBuf>,
    #[command(flatten)]
    pub stack: StackArgs,
}

/// A stack.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct StackArgs {
    #[arg(long, value_name = "NAME", help = STACK_HELP)]
    pub stack: Option<String>,
}

/// A run, and the backend that keeps it.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct RunArgs {
    /// Id of the run
    #[arg(value_name = "RUN")]
    run_id: String,
    #[command(flatten)]
    backend: BackendArgs,
}

/// An open backend.
#[derive(Debug)]
pub(crate) enum Backend {
    File { path: PathBuf, store: heal_embedded::Store, guardrails: Arc<Guardrails> },
    Stack(Stack),
}

impl BackendArgs {
    /// The backend that options, variables or the local stack's file name.
    ///
    /// # Errors
    /// A variable is not text, or one of a pair is missing; the local stack's file cannot be read.
    pub(crate) fn resolve(&self) -> anyhow::Result<BackendRef> {
        resolve::resolve(self.stack.stack.as_deref(), self.state.as_deref(), &Env, || local_stack::read(&Env))
    }
}

impl StackArgs {
    /// # Errors
    /// No stack is named, or as [`Stack::open`].
    pub(crate) async fn open(&self) -> anyhow::Result<Stack> {
        let args = BackendArgs { state: None, stack: self.clone() };
        match args.resolve()? {
            BackendRef::Stack(stack) => Stack::open(&stack).await,
            BackendRef::File(_) => anyhow::bail!(
                "no stack is named: use --stack NAME, HEAL_STACK, or HEAL_TABLE with HEAL_QUEUE_URL_PREFIX; `make stack` starts a local one"
            ),
        }
    }
}

impl RunArgs {
    /// The run's id, and its backend. Whether the run exists is not checked.
    ///
    /// # Errors
    /// The id is malformed, or as [`Backend::open`].
    pub(crate) async fn open(&self) -> anyhow::Result<(RunId, Backend)> {
        if !RunId::is_legal(&self.run_id) {
            anyhow::bail!("`{}` cannot name a run; `heal runs list` shows their ids", self.run_id);
        }
        Ok((RunId::new(&self.run_id), Backend::open(&self.backend).await?))
    }
}

impl Backend {
    /// # Errors
    /// As [`BackendArgs::resolve`]; or the state file or the stack does not exist.
    pub(crate) async fn open(args: &BackendArgs) -> anyhow::Result<Self> {
        match args.resolve()? {
            BackendRef::File(path) => {
                // A faulty file must not keep anybody from stopping a run: without it nobody belongs to a group.
                let guardrails = guardrails::of_environment(&Env).unwrap_or_else(|error| {
                    out::note(format_args!("no group of approvers is known: {error:#}"));
                    Arc::default()
                });
                Ok(Self::File { store: state::open(&path)?, path, guardrails })
            }
            BackendRef::Stack(stack) => Ok(Self::Stack(Stack::open(&stack).await?)),
        }
    }

    pub(crate) fn ports(&self) -> Ports {
        match self {
            Self::File { store, guardrails, .. } => local::ports(store).bounded_by(Arc::clone(guardrails)),
            Self::Stack(stack) => stack.ports(),
        }
    }

    /// The levels of autonomy.
    pub(crate) fn autonomy(&self) -> Arc<dyn AutonomyStore> {
        self.ports().autonomy
    }

    pub(crate) fn runs(&self) -> Arc<dyn RunReader> {
        self.ports().runs
    }

    /// A dispatcher without playbooks: it reads runs by the plans that are stored with them.
    pub(crate) fn reader(&self) -> Dispatcher {
        match self {
            Self::File { .. } => self.ports().reader().notifying(),
            Self::Stack(_) => self.ports().reader(),
        }
    }

    /// The bounds that people set, the groups of approvers among them.
    pub(crate) fn guardrails(&self) -> Arc<Guardrails> {
        self.ports().guardrails
    }

    /// The interval at which a run's log is polled.
    pub(crate) const fn poll(&self) -> Duration {
        match self {
            Self::File { .. } => POLL_FILE,
            Self::Stack(_) => POLL_STACK,
        }
    }

    /// Whether no process works on the runs. The functions of a stack are assumed to work.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::File { store, .. } => !store.is_owned_by_another(),
            Self::Stack(_) => false,
        }
    }

    /// The option that selects this backend in another command.
    pub(crate) fn option(&self) -> String {
        match self {
            Self::File { path, .. } => format!("--state {}", path.display()),
            Self::Stack(stack) => stack.option(),
        }
    }

    /// Up to `limit` dead letters, the oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub(crate) async fn dead_letters(&self, limit: usize) -> anyhow::Result<Vec<DeadLetter>> {
        Ok(self.ports().dead_letters.list(limit).await?)
    }

    /// Puts these dead letters back on their queues. Returns the ids of those that existed.
    ///
    /// # Errors
    /// One cannot be put back; those before it are.
    pub(crate) async fn redrive(&self, message_ids: &BTreeSet<String>) -> anyhow::Result<BTreeSet<String>> {
        Ok(self.ports().dead_letters.put_back(message_ids).await?)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(f),
            Self::Stack(stack) => stack.fmt(f),
        }
    }
}
