//! Where runs are: in a state file, or in a deployed stack. The commands that look at runs do not know which.

mod choice;
mod local_stack;
mod stack;

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use heal_clients::config::Env;
use heal_runtime::dispatcher::Dispatcher;
use heal_runtime::port::RunReader;

pub(crate) use choice::{Choice, ENV_QUEUE_URL_PREFIX, ENV_STACK, ENV_TABLE, Named, Site};
pub(crate) use stack::Stack;

use crate::{local, state};

/// How often a file's log is looked at: another process writes it, and is not to be disturbed.
const POLL_FILE: Duration = Duration::from_millis(200);
/// How often a table's log is looked at: every look costs money.
const POLL_STACK: Duration = Duration::from_millis(500);

const STATE_HELP: &str = "SQLite file that keeps runs, queues and cooldowns [env: HEAL_STATE] \
                          [default: the stack of `make stack` where there is one, else .heal/state.db]";
const STACK_HELP: &str = "Deployed stack, by its name in this region [env: HEAL_STACK, or HEAL_TABLE with HEAL_QUEUE_URL_PREFIX] \
                          [default: the stack of `make stack`]";

/// A state file or a stack.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct PlaceArgs {
    // Read by hand, as its variable is: options go before variables, whichever of the two they name.
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

/// Where runs are, opened.
#[derive(Debug)]
pub(crate) enum Place {
    File { path: PathBuf, store: heal_embedded::Store },
    Stack(Stack),
}

impl PlaceArgs {
    /// Which one options, variables and the local stack's file name.
    ///
    /// # Errors
    /// A variable is no text, or one of a pair is missing; the local stack's file cannot be read.
    pub(crate) fn choose(&self) -> anyhow::Result<Choice> {
        choice::choose(self.stack.stack.as_deref(), self.state.as_deref(), &Env, || local_stack::read(&Env))
    }
}

impl StackArgs {
    /// # Errors
    /// None is named, or as [`Stack::open`].
    pub(crate) async fn open(&self) -> anyhow::Result<Stack> {
        let args = PlaceArgs { state: None, stack: self.clone() };
        match args.choose()? {
            Choice::Stack(site) => Stack::open(&site).await,
            Choice::File(_) => anyhow::bail!(
                "no stack is named: --stack NAME, HEAL_STACK, or HEAL_TABLE with HEAL_QUEUE_URL_PREFIX; `make stack` starts a local one"
            ),
        }
    }
}

impl Place {
    /// # Errors
    /// As [`PlaceArgs::choose`]; or the state file is not there, or there is no such stack.
    pub(crate) async fn open(args: &PlaceArgs) -> anyhow::Result<Self> {
        match args.choose()? {
            Choice::File(path) => Ok(Self::File { store: state::open(&path)?, path }),
            Choice::Stack(site) => Ok(Self::Stack(Stack::open(&site).await?)),
        }
    }

    pub(crate) fn runs(&self) -> Arc<dyn RunReader> {
        match self {
            Self::File { store, .. } => Arc::new(store.clone()),
            Self::Stack(stack) => Arc::new(stack.store.clone()),
        }
    }

    /// A dispatcher that knows no playbooks: it reads runs by the plans that are stored with them.
    pub(crate) fn reader(&self) -> Dispatcher {
        match self {
            Self::File { store, .. } => local::reader(store),
            Self::Stack(stack) => stack.reader(),
        }
    }

    /// How often its log is looked at.
    pub(crate) const fn poll(&self) -> Duration {
        match self {
            Self::File { .. } => POLL_FILE,
            Self::Stack(_) => POLL_STACK,
        }
    }

    /// Whether nobody is there who would carry a run on. Of a stack one supposes that its functions are.
    pub(crate) fn is_idle(&self) -> bool {
        match self {
            Self::File { path, .. } => !state::is_taken(path),
            Self::Stack(_) => false,
        }
    }

    /// The option that leads another command here.
    pub(crate) fn option(&self) -> String {
        match self {
            Self::File { path, .. } => format!("--state {}", path.display()),
            Self::Stack(stack) => stack.option(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(f),
            Self::Stack(stack) => stack.fmt(f),
        }
    }
}
