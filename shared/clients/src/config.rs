//! The configuration of the clients: environment variables, read once at the start and checked as a whole.
//!
//! [`Config::read`] takes any [`Strings`], so that tests pass a map. An empty value counts as unset, because deployment templates cannot
//! leave a variable out; only an empty `OPA_HOST` has a meaning of its own. All faults are reported at once, each with the variable, its
//! value and what was expected:
//!
//! ```
//! use std::time::Duration;
//!
//! use heal_clients::config::{Config, Env, describe};
//!
//! // A program passes `&Env`; here two variables are set, and all others have their defaults.
//! let config = Config::read(&[("OPA_HOST", "opa.example"), ("OPA_TIMEOUT_SECONDS", "5")])?;
//! assert_eq!((config.policy.host.as_deref(), config.policy.port), (Some("opa.example"), 8181));
//! assert_eq!(config.policy.timeout, Duration::from_secs(5));
//!
//! let wrong = Config::read(&[("OPA_PORT", "many"), ("OPA_ENABLED", "perhaps")]).unwrap_err();
//! assert_eq!(
//!     wrong.to_string(),
//!     "OPA_PORT is \"many\", expected a port from 1 to 65535; OPA_ENABLED is \"perhaps\", expected true or false"
//! );
//!
//! // `heal doctor` shows every variable with its value, its source and its purpose.
//! for setting in describe(&Env) {
//!     println!("{} = {:?} ({}): {}", setting.name, setting.value, setting.source, setting.purpose);
//! }
//! # Ok::<(), heal_clients::config::Invalid>(())
//! ```

#![warn(missing_docs)]

pub(crate) mod keys;
mod read;
mod reader;
mod sections;
mod selector;
mod strings;
mod value;

pub use keys::*;
pub use reader::{Invalid, Problem, Setting, Source};
pub use sections::{
    Config, Dialect, IdentityConfig, IdentitySource, KubernetesAccess, KubernetesConfig, OrchestratorConfig, PemPaths,
    PolicyConfig, PolicyFallback, SYSTEM_NAMESPACES, TicketConfig,
};
pub use selector::WorkerSelector;
pub use strings::{Env, NotUnicode, Strings};
pub use value::{BaseUrl, Environment, SpiffeId, hide_credentials};

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

/// Every variable with its value and source, also if the configuration as a whole is invalid.
pub fn describe(strings: &dyn Strings) -> Vec<Setting> {
    let mut reader = reader::Reader::new(strings);
    // Only the settings are of interest here; `Config::read` says whether they make a configuration.
    let _ = read::config(&mut reader);
    reader.into_settings()
}
