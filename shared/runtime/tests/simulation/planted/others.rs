//! Halts that nobody reads, and a policy client that takes a denial for an outage.

use async_trait::async_trait;
use heal_guard::{Halt, Timestamp};
use heal_runtime::port::{Decision, Policy, PolicyInput, Result, Switches};

use crate::playbooks::Strict;

pub struct NoHalts;

#[async_trait]
impl Switches for NoHalts {
    async fn halts(&self) -> Result<Vec<Halt>> {
        Ok(Vec::new())
    }

    async fn halt(&self, _: &Halt) -> Result<bool> {
        Ok(true)
    }

    async fn prolong(&self, _: &Halt) -> Result<bool> {
        Ok(false)
    }

    async fn put_right(&self, _: &Halt, _: Timestamp) -> Result<bool> {
        Ok(false)
    }

    async fn resume(&self, _: &str, _: Timestamp) -> Result<bool> {
        Ok(false)
    }
}

pub struct Unsure;

#[async_trait]
impl Policy for Unsure {
    fn validates(&self, action: &str) -> bool {
        Strict.validates(action)
    }

    async fn decide(&self, input: &PolicyInput) -> Decision {
        match Strict.decide(input).await {
            Decision::Deny { .. } => Decision::Unavailable { message: "status 403".to_owned() },
            other => other,
        }
    }
}
