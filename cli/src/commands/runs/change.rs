//! A person's word to a run, from beside whoever works on it.
//!
//! To a state file it is taken as a turn of the run right here: the log's own guard lets two processes write to one run, and the answer
//! says what became of it. Whoever works on the state file goes on from there. To a stack it is sent ([`sent`]): there only the
//! dispatcher writes.

mod sent;

use heal_engine::RunId;
use heal_runtime::message::Inbound;
use heal_runtime::port::{Entropy as _, OsEntropy};

use crate::exit::Verdict;
use crate::out;
use crate::place::{Place, PlaceArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct Change {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub place: PlaceArgs,
    /// Who does so, for the record
    #[arg(long, env = "USER", default_value = "operator", value_name = "NAME")]
    pub by: String,
    /// Over a stack: how long to wait for the change to show in the run's log
    #[arg(long, default_value_t = 30, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=900))]
    pub within: u64,
}

/// Exits with 1 where the run is past it, or where a stack has not taken it in time.
///
/// # Errors
/// There is no such run, or it cannot be read or written.
pub(super) async fn make(
    change: &Change,
    effect: &str,
    word: impl Fn(RunId, String) -> Inbound,
) -> anyhow::Result<Verdict> {
    let run_id = super::run_id(&change.run_id)?;
    let place = Place::open(&change.place).await?;
    let Some(head) = place.runs().head(&run_id).await? else {
        anyhow::bail!("there is no run {run_id} in {place}");
    };
    if head.status.is_terminal() {
        out::note(format_args!("{run_id} has ended already: {}", head.status.as_str()));
        return Ok(Verdict::Failed);
    }
    let word = word(run_id.clone(), change.by.clone());
    match &place {
        Place::File { .. } => take(&place, &run_id, effect, word).await,
        Place::Stack(stack) => sent::send(stack, &place, &run_id, effect, word, change.within).await,
    }
}

async fn take(place: &Place, run_id: &RunId, effect: &str, word: Inbound) -> anyhow::Result<Verdict> {
    let cause_id = format!("command-line:{:016x}", OsEntropy.next()?);
    let taken = place.reader().receive(run_id, &cause_id, vec![word]).await?;
    if taken.events == 0 {
        out::note(format_args!("{run_id} is {}: nothing to change", taken.status.as_str()));
        return Ok(Verdict::Failed);
    }
    out::line(format_args!("{run_id} {effect}: {}", taken.status.as_str()))?;
    if !taken.status.is_terminal() && place.is_idle() {
        out::note("no `heal serve` works on this state file; the rest follows once one does");
    }
    Ok(Verdict::Done)
}
