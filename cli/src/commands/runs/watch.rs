//! `heal runs watch`: follow a run to its end.

use std::sync::Arc;
use std::time::Duration;

use engine::event::RunStatus;

use crate::args::StateFile;
use crate::exit::Verdict;
use crate::follow::Follower;
use crate::show::Show;
use crate::{local, state};

/// How often the file is looked at: another process writes it, and is not to be disturbed.
const POLL: Duration = Duration::from_millis(200);

/// Follows a run until it ends; exits with 0 where its status is COMPLETED then
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Id of the run
    #[arg(value_name = "RUN")]
    pub run_id: String,
    #[command(flatten)]
    pub state: StateFile,
    /// One event a line as JSON, the report as the last line
    #[arg(long)]
    pub json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Verdict> {
    let store = state::open(&args.state.state)?;
    let run_id = super::run_id(&args.run_id)?;
    let mut follower = Follower::new(&local::reader(&store), Arc::new(store.clone()), run_id).await?;
    let mut show = Show::new(args.json, follower.plan.clone());
    let mut told = false;
    loop {
        let (news, status) = follower.news().await?;
        for commit in news {
            show.commit(commit)?;
        }
        if status.is_terminal() {
            show.finish(&follower.report()?)?;
            return Ok(Verdict::of(status == RunStatus::Completed));
        }
        if !told && !state::is_taken(&args.state.state) {
            show.note("no `heal serve` works on this state file, so nothing will happen until one does");
            told = true;
        }
        show.wait();
        tokio::time::sleep(POLL).await;
    }
}
