//! `api`: the HTTP API of a stack, behind API Gateway. It reads runs, and sends changes to the dispatcher.

use std::sync::Arc;
use std::time::Duration;

use heal_api::changes::Queued;
use heal_api::{Service, Waiting};
use heal_lambda::{ApiHome, Error, Function, authorizer};

/// How often a run's log is read while a reader waits for news: every read costs money.
const POLL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let function = Function::start("api").await?;
    let home = function.api_home()?;
    let role = home.role()?;
    let router = heal_api::router(service(home)?);
    function.answer_http(heal_api::behind_gateway(router, authorizer, role)).await
}

fn service(home: ApiHome) -> Result<Service, Error> {
    let checks = home.checks()?;
    let ApiHome { ports, library, telemetry, .. } = home;
    let dispatcher = ports.dispatcher(library);
    let changes = Queued {
        reader: dispatcher.clone(),
        runs: ports.runs.clone(),
        sender: Arc::clone(&ports.sender),
        entropy: Arc::clone(&ports.entropy),
    };
    Ok(Service {
        dispatcher,
        changes: Arc::new(changes),
        runs: ports.runs,
        due_runs: ports.due_runs,
        sender: ports.sender,
        autonomy: ports.autonomy,
        dead_letters: ports.dead_letters,
        check_store: ports.checks,
        checks,
        // The descriptions of the actions are in their functions.
        catalog: None,
        entropy: ports.entropy,
        telemetry,
        waiting: Waiting { poll: POLL, streams: false },
        // A stack gets its alarms through EventBridge, SNS and SQS.
        hooks: None,
        // Notifications of a stack link to runs only.
        approval_links: None,
    })
}
