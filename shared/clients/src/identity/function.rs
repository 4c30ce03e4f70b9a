//! The Workload API in a Lambda function: always unavailable, because no SPIFFE agent runs beside a function.

use std::sync::Arc;

use async_trait::async_trait;

use super::jwt::JwtSvid;
use super::material::{IdentityError, X509Identity};
use super::source::IdentityProvider;
use crate::config::keys;

/// Stands for the Workload API that the configuration names, as it does by default. A function whose calls need no identity works
/// without one; in any other function every call fails with the remedy.
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
        let place = format!("the SPIFFE Workload API at {}", self.socket);
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
    async fn the_error_in_a_function_names_the_variable_to_set() {
        let identity = NoAgent::new("unix:///run/agent.sock");
        let error = identity.x509().await.unwrap_err().to_string();
        assert!(error.contains("unix:///run/agent.sock") && error.contains("SPIFFE_IDENTITY_SOURCE"), "{error}");
        assert!(identity.jwt("orchestrator").await.is_none());
    }
}
