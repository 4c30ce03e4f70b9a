//! Many deliveries for one ticket.

use futures_util::future::join_all;
use heal_runtime::AttemptOutcome;
use heal_runtime::attempt::CommandOutcome;

use crate::rig::{Rig, of_run};
use crate::{of_ticket, worker};

const DELIVERIES: usize = 200;

#[tokio::test]
async fn two_hundred_runs_for_one_ticket_make_one_reallocation() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let commands: Vec<_> =
        (0..DELIVERIES).map(|number| of_run(&of_ticket(&rig, "ticket-1"), &format!("run-{number}"))).collect();
    let results = join_all(commands.iter().map(|command| rig.perform(&worker, command))).await;
    let done = results.iter().filter(|result| result.outcome == AttemptOutcome::Succeeded).count();
    let cooling = results.iter().filter(|result| matches!(result.outcome, AttemptOutcome::CoolingDown { .. })).count();
    assert_eq!((done, cooling), (1, DELIVERIES - 1));
    assert_eq!(rig.calls_of("reallocate_ticket").len(), 1);
}

#[tokio::test]
async fn two_hundred_deliveries_of_one_command_make_one_reallocation() {
    let rig = Rig::new();
    let worker = worker(&rig);
    let command = of_ticket(&rig, "ticket-1");
    let handled = join_all((0..DELIVERIES).map(|_| rig.deliver(&worker, &command))).await;
    let answered = handled.iter().filter(|handled| matches!(handled, Ok(CommandOutcome::Answered(_)))).count();
    let busy = handled.iter().filter(|handled| matches!(handled, Ok(CommandOutcome::Busy { .. }))).count();
    assert_eq!((answered, busy), (1, DELIVERIES - 1));
    assert_eq!(rig.calls_of("reallocate_ticket").len(), 1);
}
