//! A function's Workload API: there is none, since no agent runs beside a function.

use std::sync::Arc;

use async_trait::async_trait;

use super::jwt::JwtSvid;
use super::material::X509Identity;
use super::{IdentityError, IdentityProvider};
use crate::config::keys;

/// Where the configuration names the Workload API, as it does by default. A function that calls nobody who asks for an identity does as well
/// without; for one that does, every call says so.
#[derive(Debug)]
pub(super) struct NoAgent {
    socket: String,
}

impl NoAgent {
    pub(super) fn new(socket: &str) -> Self {
        Self { socket: socket.to_owned() }
    }
}

#[async_trait]
impl IdentityProvider for NoAgent {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let place = format!("the Workload API at {}", self.socket);
        let problem = format!("no agent runs beside a function; set {} to secrets_manager", keys::ENV_SPIFFE_SOURCE);
        Err(IdentityError::unavailable(place, problem))
    }

    async fn jwt(&self, _audience: &str) -> Option<JwtSvid> {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_function_that_needs_an_agent_is_told_what_to_set() {
        let identity = NoAgent::new("unix:///run/agent.sock");
        let error = identity.x509().await.unwrap_err().to_string();
        assert!(error.contains("unix:///run/agent.sock") && error.contains("SPIFFE_IDENTITY_SOURCE"), "{error}");
        assert!(identity.jwt("orchestrator").await.is_none());
    }
}
