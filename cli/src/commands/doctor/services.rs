//! Every service, tried once with a question that changes nothing.

use std::time::{Duration, Instant};

use heal_clients::config::{Config, Env, KubernetesAccess};
use heal_clients::{CallContext, Error, Wiring, identity, kubernetes, orchestrator, policy, tickets};

use super::Check;
use heal_wiring::aws;

use crate::moment;

/// How long one service may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Names a pod and a workflow that nobody has: that they are not there is an answer too.
const NOBODY: &str = "heal-doctor-probe";

pub(super) async fn check(offline: bool) -> Vec<Check> {
    // What is wrong with it stands beside the variables.
    let Ok(config) = Config::read(&Env) else {
        return vec![Check::new("services", "all", Err("not tried, the configuration is wrong".to_owned()))];
    };
    if offline {
        return Vec::new();
    }
    let (tickets, orchestrator, kubernetes, policy) =
        tokio::join!(tickets(&config), orchestrator(&config), kubernetes(&config), policy(&config));
    vec![tickets, orchestrator, kubernetes, policy]
}

async fn tickets(config: &Config) -> Check {
    let answer = async {
        let client = tickets::Client::new(&config.tickets, &Wiring::default())?;
        client.health(&CallContext::within(PATIENCE)).await
    };
    Check::new("tickets", config.tickets.url.as_str(), answered(answer).await)
}

async fn orchestrator(config: &Config) -> Check {
    let address = format!("{}:{}", config.orchestrator.host, config.orchestrator.port);
    let secrets = match aws::secret_reader(&config.identity).await {
        Ok(secrets) => secrets,
        Err(error) => return Check::new("orchestrator", address, Err(format!("{error:#}"))),
    };
    let answer = async {
        let identity = identity::provider(&config.identity, secrets)?;
        let wiring = Wiring { identity, ..Wiring::default() };
        let client = orchestrator::Client::new(&config.orchestrator, &wiring)?;
        client.get_workflow_status(NOBODY, false, &CallContext::within(PATIENCE)).await.map(drop)
    };
    Check::new("orchestrator", address, answered(answer).await)
}

async fn kubernetes(config: &Config) -> Check {
    let subject = match &config.kubernetes.access {
        KubernetesAccess::Url(url) => url.to_string(),
        KubernetesAccess::Kubeconfig(path) => path.display().to_string(),
        KubernetesAccess::Eks { cluster } => format!("EKS cluster {cluster}"),
        KubernetesAccess::InCluster => "the cluster that this runs in".to_owned(),
    };
    let cluster = match aws::cluster(&config.kubernetes).await {
        Ok(cluster) => cluster,
        Err(error) => return Check::new("kubernetes", subject, Err(format!("{error:#}"))),
    };
    let answer = async {
        let client = kubernetes::Client::new(&config.kubernetes, cluster.as_ref(), &Wiring::default()).await?;
        client.pod_health(NOBODY, None, &CallContext::within(PATIENCE)).await.map(drop)
    };
    Check::new("kubernetes", subject, answered(answer).await)
}

async fn policy(config: &Config) -> Check {
    let address = format!("{}:{}", config.policy.host, config.policy.port);
    if !config.policy.enabled {
        return Check::new("policy", address, Ok("switched off (OPA_ENABLED=false), not tried".to_owned()));
    }
    let answer = async {
        let client = policy::Client::new(&config.policy, &Wiring::default())?;
        client.health(&CallContext::within(PATIENCE)).await
    };
    Check::new("policy", address, answered(answer).await)
}

/// A refusal is an answer of a service that can be reached, but not always one to be content with.
async fn answered(call: impl Future<Output = Result<(), Error>>) -> Result<String, String> {
    let started = Instant::now();
    let result = call.await;
    let took = moment::duration(u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX));
    match result {
        Ok(()) => Ok(format!("answers ({took})")),
        Err(Error::Refused(refusal)) if refusal.kind == heal_clients::RefusalKind::NotFound => {
            Ok(format!("answers ({took})"))
        }
        Err(error) => Err(error.to_string()),
    }
}
