//! Peers over HTTP: the ticket service, the Kubernetes API and the policy server.

use std::sync::Arc;

use heal_clients::config::Config;
use heal_clients::{CallContext, Wiring, kubernetes, policy, tickets};
use heal_runtime::port::{Decision, DecisionSource, PolicyInput};

use heal_peers::acts::{acts, acts_before_tls};
use heal_peers::hostile::{Act, Hostile};

use crate::undergo;

fn config(env: &[(&str, String)]) -> Config {
    let env: std::collections::BTreeMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Config::read(&env).unwrap()
}

async fn call_tickets(name: &str, act: Act, scheme: &str) {
    undergo(name, act, async |server: &Hostile| {
        let config = config(&[("EXECUTION_TICKET_SERVICE_URL", format!("{scheme}://{}", server.addr))]);
        let client = Arc::new(tickets::Client::new(&config.tickets, &Wiring::default()).unwrap());
        move |context: CallContext| {
            let client = Arc::clone(&client);
            async move { client.get_ticket("t-1", &context).await.map(drop).map_err(|error| error.to_string()) }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_service_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        call_tickets(&format!("tickets: {name}"), act, "http").await;
    }
    for (name, act) in acts_before_tls() {
        call_tickets(&format!("tickets over TLS: {name}"), act, "https").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kubernetes_api_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        undergo(&format!("kubernetes: {name}"), act, async |server: &Hostile| {
            let config = config(&[("KUBERNETES_API_URL", format!("http://{}", server.addr))]);
            let client = kubernetes::Client::new(&config.kubernetes, None, &Wiring::default()).await;
            let client = Arc::new(client.unwrap());
            move |context: CallContext| {
                let client = Arc::clone(&client);
                async move {
                    let read = client.pod_health("worker-1", None, &context).await;
                    read.map(drop).map_err(|error| error.to_string())
                }
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_policy_server_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        undergo(&format!("policy: {name}"), act, async |server: &Hostile| {
            let (host, port) = (server.addr.ip().to_string(), server.addr.port().to_string());
            let config = config(&[("OPA_HOST", host), ("OPA_PORT", port)]);
            let client = Arc::new(policy::Client::new(&config.policy, &Wiring::default()).unwrap());
            move |context: CallContext| {
                let client = Arc::clone(&client);
                async move {
                    let mut question = PolicyInput { critical: true, ..PolicyInput::default() };
                    "reallocate_ticket".clone_into(&mut question.resource.action);
                    match client.validate_action(&question, &context).await {
                        Decision::Allow { source: DecisionSource::Server, .. }
                        | Decision::Deny { source: DecisionSource::Server, .. } => Ok(()),
                        // Without the server's word, another decides.
                        other => Err(format!("{other:?}")),
                    }
                }
            }
        })
        .await;
    }
}
