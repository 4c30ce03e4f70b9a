//! Every service, tried once with a call that changes nothing.

use std::time::Duration;

use anyhow::Result;
use heal_clients::config::{Config, Env, KubernetesAccess, hide_credentials};
use heal_clients::{CallContext, Error, RefusalKind};
use heal_engine::secret::hide_text;
use heal_wiring::Clients;
use tokio::time::Instant;

use super::findings::Check;
use crate::moment;

/// Time limit of one service.
const PATIENCE: Duration = Duration::from_secs(5);
/// Name of a pod and a workflow that do not exist: "not found" is an answer too.
const NO_TARGET: &str = "heal-doctor-probe";

pub(super) async fn check(offline: bool) -> Vec<Check> {
    // The faults are shown beside the variables.
    let Ok(config) = Config::read(&Env) else {
        return vec![Check::new("services", "all", Err("not tried, the configuration is wrong".to_owned()))];
    };
    if offline {
        return Vec::new();
    }
    let clients = Clients::unshared(config);
    let (tickets, orchestrator, kubernetes, policy) =
        tokio::join!(tickets(&clients), orchestrator(&clients), kubernetes(&clients), policy(&clients));
    vec![tickets, orchestrator, kubernetes, policy]
}

async fn tickets(clients: &Clients) -> Check {
    let call = async {
        let (client, context) = (clients.tickets()?, CallContext::within(PATIENCE));
        client.health(&context).await?;
        Ok(client.check_dialect(&context).await?)
    };
    Check::new("tickets", hide_credentials(clients.config().tickets.url.as_str()), outcome(call).await)
}

async fn orchestrator(clients: &Clients) -> Check {
    let config = &clients.config().orchestrator;
    let call = async {
        let client = clients.clone().with_identity().await?.orchestrator()?;
        Ok(client.get_workflow_status(NO_TARGET, false, &CallContext::within(PATIENCE)).await.map(drop)?)
    };
    Check::new("orchestrator", format!("{}:{}", config.host, config.port), outcome(call).await)
}

async fn kubernetes(clients: &Clients) -> Check {
    let subject = match &clients.config().kubernetes.access {
        KubernetesAccess::Url(url) => hide_credentials(url.as_str()),
        KubernetesAccess::Kubeconfig(path) => path.display().to_string(),
        KubernetesAccess::Eks { cluster } => format!("EKS cluster {cluster}"),
        KubernetesAccess::InCluster => "the cluster of this pod".to_owned(),
    };
    let call = async {
        let client = clients.kubernetes().await?;
        Ok(client.pod_health(NO_TARGET, None, &CallContext::within(PATIENCE)).await.map(drop)?)
    };
    Check::new("kubernetes", subject, Box::pin(outcome(call)).await)
}

async fn policy(clients: &Clients) -> Check {
    let config = &clients.config().policy;
    let address = config.host.as_ref().map_or_else(|| "bundled".to_owned(), |host| format!("{host}:{}", config.port));
    if !config.enabled {
        return Check::new("policy", address, Ok("switched off (OPA_ENABLED=false), not tried".to_owned()));
    }
    if config.host.is_none() {
        return Check::new(
            "policy",
            address,
            Ok("decides in the process, without a server (OPA_HOST is empty)".to_owned()),
        );
    }
    let call = async { Ok(clients.policy()?.health(&CallContext::within(PATIENCE)).await?) };
    Check::new("policy", address, outcome(call).await)
}

/// "Not found" proves that a service can be reached; any other refusal is a fault.
async fn outcome(call: impl Future<Output = Result<()>>) -> Result<String, String> {
    let started = Instant::now();
    let result = call.await;
    let took = moment::duration(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    match result {
        Ok(()) => Ok(format!("answers ({took})")),
        Err(error) => match error.downcast_ref() {
            Some(Error::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => Ok(format!("answers ({took})")),
            Some(Error::Refused(_) | Error::Misconfigured(_) | Error::Unavailable(_) | Error::Invalid { .. })
            | None => Err(hide_text(&format!("{error:#}")).into_owned()),
        },
    }
}
