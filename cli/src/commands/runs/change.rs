//! A person's word to a run, from beside whoever works on it.
//!
//! It is taken as a turn of the run right here: the log's own guard lets two processes write to one run, and the answer says what became
//! of it. Whoever works on the state file goes on from there.

use engine::RunId;
use runtime::dispatcher::Inbound;
use runtime::port::{Entropy as _, OsEntropy, RunStore as _};

use crate::args::StateFile;
use crate::exit::Verdict;
use crate::{local, out, state};

#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub state: StateFile,
    /// Who does so, for the record
    #[arg(long, env = "USER", default_value = "operator", value_name = "NAME")]
    pub by: String,
}

/// Exits with 1 where the run is past it.
///
/// # Errors
/// There is no such run, or the state file cannot be used.
pub(super) async fn make(
    change: &Change,
    effect: &str,
    word: impl Fn(RunId, String) -> Inbound,
) -> anyhow::Result<Verdict> {
    let store = state::open(&change.state.state)?;
    let run_id = super::run_id(&change.run_id)?;
    let Some(head) = store.head(&run_id).await? else {
        anyhow::bail!("there is no run {run_id} in {}", change.state.state.display());
    };
    if head.status.is_terminal() {
        out::note(format_args!("{run_id} has ended already: {}", head.status.as_str()));
        return Ok(Verdict::Failed);
    }
    let cause_id = format!("command-line:{:016x}", OsEntropy.next());
    let taken =
        local::reader(&store).receive(&run_id, &cause_id, vec![word(run_id.clone(), change.by.clone())]).await?;
    if taken.events == 0 {
        out::note(format_args!("{run_id} is {}: nothing to change", taken.status.as_str()));
        return Ok(Verdict::Failed);
    }
    out::line(format_args!("{run_id} {effect}: {}", taken.status.as_str()))?;
    if !taken.status.is_terminal() && !state::is_taken(&change.state.state) {
        out::note("no `heal serve` works on this state file; the rest follows once one does");
    }
    Ok(Verdict::Done)
}
