//! `api`: the HTTP API of a stack, behind API Gateway. It reads runs, and sends changes to the dispatcher.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use heal_api::changes::Queued;
use heal_api::doors::access::Access;
use heal_api::doors::{Doors, Parts};
use heal_api::{ApprovalLinks, GatewayRoles, Hooked, Service, Waiting};
use heal_lambda::{ApiHome, Error, Function, request_context};

/// How often a run's log is read while a reader waits for news: every read costs money.
const POLL: Duration = Duration::from_secs(1);

#[tokio::main]
async fn main() -> Result<(), Error> {
    let function = Function::start("api").await?;
    let home = function.api_home().await?;
    let access = Access::read(&home.identities()?, Path::new(""), home.client_secret.clone());
    let access = ApiHome::of_identities(access.map_err(|faults| faults.join("; ")))?;
    let roles = GatewayRoles::new(&access, home.role()?);
    let doors = Arc::new(doors(access, &home)?);
    let router = doors.guard(heal_api::router(service(home).await?));
    function.answer_http(heal_api::behind_gateway(router, request_context, roles)).await
}

/// The doors of the API. The address that notifications link to is one of its own.
fn doors(mut access: Access, home: &ApiHome) -> Result<Doors, Error> {
    access.public_url = access.public_url.or_else(|| Some(home.links.as_ref()?.base().clone()));
    let (clock, entropy) = (Arc::clone(&home.ports.clock), Arc::clone(&home.ports.entropy));
    let parts = Parts { clock, entropy, metrics: home.telemetry.metrics().clone() };
    let doors = Doors::behind_gateway(access, home.session_key.as_deref(), parts);
    ApiHome::of_identities(doors.map_err(|error| error.to_string()))
}

async fn service(home: ApiHome) -> Result<Service, Error> {
    let checks = home.checks()?;
    let ApiHome { ports, library, telemetry, vault, hooks, links, .. } = home;
    let secret = async |reference: &str| vault.read_text(reference).await;
    let hooks = ApiHome::of_hooks(Hooked::compiled(&hooks, secret, Arc::clone(&ports.claims)).await)?;
    let approval_links = links.map(|links| ApprovalLinks { links, claims: Arc::clone(&ports.claims) });
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
        claims: ports.claims,
        entropy: ports.entropy,
        telemetry,
        waiting: Waiting { poll: POLL, news: None, streams: false },
        hooks,
        approval_links,
    })
}
