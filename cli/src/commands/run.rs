//! `heal run`: one incident in this process, from intake to the end of its run.

mod args;
mod perform;
mod preview;
mod seed;

use anyhow::Context as _;
use heal_engine::limit;
use heal_runtime::dispatcher::Prepared;

pub(crate) use args::Args;

use crate::exit::Exit;
use crate::{actions, file, guardrails, out, playbooks};

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let message = file::read_text(&args.incident, limit::MESSAGE_BYTES as u64)?;
    let library = playbooks::library(&args.playbooks.playbooks, &actions::catalog())?;
    let playbooks = playbooks::playbooks_from(&library);
    let guardrails = guardrails::load(args.guardrails.guardrails.as_deref(), &args.playbooks.playbooks, &playbooks)?;
    guardrails.log();
    // A fault of the incident shows here, before anything is started or stored.
    let prepared = Prepared::new(&library, &message, args.playbook.as_deref())
        .with_context(|| format!("failed to process the incident in {}", file::name(&args.incident)))?;
    let reserved = &prepared.intake().reserved;
    if !reserved.is_empty() {
        let names = reserved.join(", ");
        out::note(format_args!("left out, because these names are reserved in playbooks: {names}"));
    }
    let prepared = if args.dry_run {
        preview::show(&prepared, args.json)?;
        prepared.in_shadow()
    } else {
        prepared
    };
    perform::perform(&args, library, guardrails.guardrails, prepared).await
}
