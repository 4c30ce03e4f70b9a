//! `heal serve --sandbox`: stand-in services in the same process, so that everything can be tried without a platform.

use std::path::PathBuf;

use anyhow::Context as _;
use heal_clients::config::Env;
use heal_sandbox::{Platform, Seed};

use crate::args::StateFile;
use crate::environment::Layered;
use crate::out;
use crate::sandbox::{self, Like};
use crate::state::{self, Exclusive};

/// Stand-in services in this process instead of the real ones.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Sandbox")]
pub(super) struct SandboxArgs {
    /// Work on stand-in services with a sick worker, and keep the runs in memory unless --state names a file
    #[arg(long)]
    sandbox: bool,
    /// Whether the stand-in services behave as the integration guide says or as they are deployed
    #[arg(long, value_enum, default_value_t, requires = "sandbox")]
    like: Like,
    /// JSON file with the state of the stand-in services, see `heal sandbox --help`
    #[arg(long, value_name = "FILE", requires = "sandbox")]
    sandbox_seed: Option<PathBuf>,
}

impl SandboxArgs {
    /// The services, which end with what is returned, and the configuration that points at them.
    ///
    /// # Errors
    /// The seed cannot be read, or a service cannot be started.
    pub(super) fn start(&self) -> anyhow::Result<(Option<Platform>, Layered<Env>)> {
        if !self.sandbox {
            return Ok((None, Layered::new(None, Env)));
        }
        let seed = match (&self.sandbox_seed, self.like) {
            (Some(path), _) => sandbox::read_seed(path)?,
            (None, Like::Guide) => Seed::unhealthy_worker(),
            (None, Like::Deployed) => Seed::unhealthy_worker().with_deployed_workers(),
        };
        let config = sandbox::platform_config(seed, self.like);
        let platform = Platform::start(config).context("failed to start the sandbox")?;
        let strings = Layered::new(Some(sandbox::env(&platform.endpoints())), Env);
        Ok((Some(platform), strings))
    }

    /// The store: in memory for a sandbox that was not given a file of its own.
    ///
    /// # Errors
    /// As [`state::lock`].
    pub(super) async fn state(&self, file: &StateFile) -> anyhow::Result<Exclusive> {
        if self.sandbox && file.is_default() {
            return state::in_memory();
        }
        state::lock(&file.state).await
    }

    /// What to do next, for somebody who tries it.
    pub(super) fn welcome(&self, address: std::net::SocketAddr) {
        if self.sandbox {
            out::note(format_args!(
                "the services are stand-ins, and worker-1 is sick; open http://{address} in a browser, and raise the incident that its form proposes"
            ));
        }
    }
}
