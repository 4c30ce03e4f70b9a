//! The stand-in platform as `heal sandbox` and `heal run --sandbox` start it.

use std::path::Path;

use anyhow::Context as _;
use heal_clients::config as variables;
use heal_clients::policy::BUNDLED_POLICY;
use heal_sandbox::opa::OpaConfig;
use heal_sandbox::{Endpoints, PlatformConfig, Seed};

use crate::file;

/// Maximum size of a seed file, in bytes: enough for a platform with some ten thousand tickets.
const SEED_BYTES: u64 = 64 * 1024 * 1024;

/// URL of the control port, for people and scripts; `heal` does not read it.
const ENV_CONTROL_URL: &str = "HEAL_SANDBOX_CONTROL_URL";

/// # Errors
/// The file cannot be read, or is not a seed; the file and the field are named.
pub(crate) fn read_seed(path: &Path) -> anyhow::Result<Seed> {
    let text = file::read_text(path, SEED_BYTES)?;
    Seed::from_json(&text).with_context(|| format!("invalid seed file {}", path.display()))
}

/// How the services behave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Like {
    /// As the integration guide says
    #[default]
    Guide,
    /// As the platform is deployed: ticket service at /api/v1 in its own dialect, workers as Deployments, …
    Deployed,
}

/// A platform whose policy server has the bundled policy.
pub(crate) fn platform_config(seed: Seed, like: Like) -> PlatformConfig {
    let base = match like {
        Like::Guide => PlatformConfig::default(),
        Like::Deployed => PlatformConfig::like_deployed(),
    };
    let opa = OpaConfig { policy: Some(BUNDLED_POLICY.to_owned()), ..base.opa };
    PlatformConfig { opa, seed, ..base }
}

/// The variables that point the engine at the stand-in services, without an identity.
pub(crate) fn env(endpoints: &Endpoints) -> Vec<(String, String)> {
    let own = [(variables::ENV_ENVIRONMENT, "sandbox".to_owned()), (variables::ENV_SPIFFE_SOURCE, "none".to_owned())];
    let control = endpoints.control_url.clone().map(|url| (ENV_CONTROL_URL.to_owned(), url));
    own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(endpoints.env()).chain(control).collect()
}
