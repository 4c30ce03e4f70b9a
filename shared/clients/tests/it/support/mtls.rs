//! An orchestrator that requires mutual TLS, and clients for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use heal_clients::config::Config;
use heal_clients::orchestrator::Client;
use heal_clients::{Error, IdentityProvider, Wiring};
use heal_sandbox::orchestrator::OrchestratorConfig;
use heal_sandbox::spiffe_ca::{SpiffeCa, TRUST_DOMAIN};
use heal_sandbox::{Platform, PlatformConfig, TlsMaterial};

pub(crate) const ENGINE_ID: &str = "spiffe://neural-hive.local/ns/neural-hive/sa/self-healing-engine";

pub(crate) fn authority() -> Arc<SpiffeCa> {
    Arc::new(SpiffeCa::new(TRUST_DOMAIN).unwrap())
}

pub(crate) fn serve(tls: TlsMaterial, adjust: impl FnOnce(&mut OrchestratorConfig)) -> Platform {
    let mut orchestrator = OrchestratorConfig { tls: Some(tls), ..OrchestratorConfig::default() };
    adjust(&mut orchestrator);
    Platform::start(PlatformConfig { orchestrator, ..PlatformConfig::default() }).unwrap()
}

/// A client configured for production, which requires TLS.
pub(crate) fn client(platform: &Platform, identity: Arc<dyn IdentityProvider>) -> Result<Client, Error> {
    let mut env: BTreeMap<String, String> = platform.env().into_iter().collect();
    env.insert("ENVIRONMENT".to_owned(), "production".to_owned());
    let config = Config::read(&env).unwrap().orchestrator;
    Client::new(&config, &Wiring { identity, ..Wiring::default() })
}
