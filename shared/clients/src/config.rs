//! Everything the environment decides about the clients: read once, checked at the start, described for a person.
//!
//! [`Config::read`] takes any [`Strings`], so that tests pass a map. An empty value counts as unset, because deployment
//! templates cannot leave a variable out. All faults are reported at once, each with the variable, its value and what was expected.

mod describe;
pub(crate) mod keys;
mod read;
mod reader;
mod sections;
mod strings;
mod value;

pub use describe::{Setting, Source, describe};
pub use keys::*;
pub use reader::{Invalid, Problem};
pub use sections::{
    Dialect, IdentityConfig, IdentitySource, KubernetesAccess, KubernetesConfig, OrchestratorConfig, PemPaths,
    PolicyConfig, TicketConfig,
};
pub use strings::{Env, NotUnicode, Strings};
pub use value::{BaseUrl, Environment, SpiffeId};

/// The configuration of all clients.
#[derive(Debug, Clone)]
pub struct Config {
    pub environment: Environment,
    pub tickets: TicketConfig,
    pub orchestrator: OrchestratorConfig,
    pub identity: IdentityConfig,
    pub policy: PolicyConfig,
    pub kubernetes: KubernetesConfig,
}

impl Config {
    /// Reads and checks every variable of [`VARIABLES`].
    ///
    /// # Errors
    /// [`Invalid`] with every fault found, in the order of [`VARIABLES`].
    pub fn read(strings: &dyn Strings) -> Result<Self, Invalid> {
        let mut reader = reader::Reader::new(strings);
        let config = read::config(&mut reader);
        match (config, reader.into_problems()) {
            (Some(config), problems) if problems.is_empty() => Ok(config),
            (_, problems) => Err(Invalid { problems }),
        }
    }
}
