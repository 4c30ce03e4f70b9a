//! `heal approvals show`: what would be done, to what, why people are asked, and who may answer.

use heal_api::worklist::{Approval, approval_name as name, who_may_approve as who};
use heal_engine::state::OpenApproval;
use heal_runtime::message::approver;

use super::open::{Asked, Target, left};
use crate::backend::Backend;
use crate::exit::Exit;
use crate::{identity, moment, out};

/// Shows what would be done if you approve
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// One JSON object an approval
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(args: Args) -> anyhow::Result<Exit> {
    let asked = args.target.open().await?;
    for (index, approval) in asked.approvals.iter().enumerate() {
        if args.json {
            out::json(&Approval {
                run_id: asked.run_id.clone(),
                incident_id: asked.state.incident_id.clone(),
                playbook: asked.plan.playbook.name.clone(),
                approval: approval.clone(),
            })?;
            continue;
        }
        if index > 0 {
            out::line("")?;
        }
        lines(&asked, approval).iter().try_for_each(out::line)?;
    }
    if !args.json {
        let (run, option) = (&asked.run_id, asked.backend.option());
        out::note(format_args!(
            "`heal approvals approve {run} {option}` or `heal approvals reject {run} {option} --reason TEXT` answers; a step's name behind the \
             run answers for that step alone"
        ));
    }
    Ok(Exit::Success)
}

fn lines(asked: &Asked, approval: &OpenApproval) -> Vec<String> {
    let Asked { plan, state, run_id, .. } = asked;
    let what = if let Some(action) = &approval.action {
        format!("{} would perform {action}", name(approval))
    } else {
        let steps: Vec<_> = plan.playbook.actions.iter().map(|step| step.name.as_str()).collect();
        format!("the run would start: {}", steps.join(", "))
    };
    let with = if approval.step.is_some() { "with" } else { "about" };
    let parameters = serde_json::Value::Object(approval.parameters.clone());
    let approved = match approval.approved_by.as_slice() {
        [] => "nobody".to_owned(),
        names => names.join(", "),
    };
    let requester = approval.requested_by.as_deref().unwrap_or("nobody attested it");
    let line = |label: &str, text: &str| format!("{label:<16}{}", out::text(text));
    let mut lines = vec![
        line("run", &format!("{run_id}, playbook {}, incident {}", plan.playbook.name, state.incident_id)),
        line("what", &what),
        line(with, &parameters.to_string()),
        line("why it asks", &approval.why),
        line("started by", requester),
        line("who may approve", &who(approval)),
        line("approved by", &format!("{approved} ({} needed)", approval.min)),
        line("asked at", &moment::rfc3339(approval.since)),
        line("until", &format!("{}, then the answer is no", until(asked, approval))),
        line("digest", approval.digest.as_str()),
    ];
    lines.extend(own_part(asked, approval).map(|text| line("you", &text)));
    lines
}

/// The time left of a held run begins with its release.
fn until(asked: &Asked, approval: &OpenApproval) -> String {
    match &asked.state.held {
        None => moment::rfc3339(approval.until),
        Some(held) => {
            let since = moment::rfc3339(held.since);
            format!(
                "{} after the release; the run is held by {} since {since}",
                left(approval, held.since),
                held.holder()
            )
        }
    }
}

/// Whether the person at this terminal may approve. For a stack only its queue knows who that is.
fn own_part(asked: &Asked, approval: &OpenApproval) -> Option<String> {
    let Backend::File { .. } = &asked.backend else { return None };
    let guardrails = asked.backend.guardrails();
    let by = approver(&guardrails.approvals.groups, identity::local());
    let step = approval.step.as_deref().map(|step| (step, approval.item));
    let identity = by.identity.clone();
    Some(match asked.state.check_approval(&asked.plan, step, &by) {
        Ok(()) => format!("{identity} may approve this"),
        Err(why) => format!("may not approve this: {why}"),
    })
}
