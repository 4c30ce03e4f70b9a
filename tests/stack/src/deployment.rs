//! `template.yaml`, built and deployed by the SAM command line onto a local AWS, with a stand-in platform as its targets.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use heal_aws::{QueueUrls, Queues, Store};
use heal_sandbox::{Platform, PlatformConfig};

use crate::ministack::{ACCOUNT, MiniStack, REGION, root};
use crate::table;

/// The stack's name.
pub const STACK: &str = "heal-e2e";

/// The deployed engine.
#[derive(Debug)]
pub struct Deployment {
    pub stack: MiniStack,
    pub platform: Platform,
}

impl Deployment {
    /// The one that tests of this process share; `config` is that of its platform. `parameters` are the template's, besides those that lead to the
    /// platform.
    ///
    /// # Panics
    /// It cannot be deployed: with what the SAM command line said.
    pub fn shared(config: impl FnOnce() -> PlatformConfig, parameters: &[(&str, &str)]) -> &'static Self {
        static SHARED: OnceLock<Deployment> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(config(), parameters, &[]))
    }

    /// A deployment of one's own. `variables` are those of the local AWS, and so of the functions.
    ///
    /// # Panics
    /// As [`Deployment::shared`].
    pub fn start(config: PlatformConfig, parameters: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        let own = [("LAMBDA_EXECUTOR", "local"), ("MINISTACK_HOST", "127.0.0.1")];
        let stack = MiniStack::start(&[own.as_slice(), variables].concat()).unwrap();
        // An async runtime that outlives the test which happens to come first: the platform's sockets are tasks on it.
        let services = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let services: &'static tokio::runtime::Runtime = Box::leak(Box::new(services));
        let platform = {
            let _on_it = services.enter();
            Platform::start(config).unwrap()
        };
        let deployment = Self { stack, platform };
        let overrides = deployment.overrides(parameters);
        deployment.sam(&["build", "--config-env", "local"], &[]);
        let mut deploy = vec!["deploy", "--config-env", "local", "--stack-name", STACK, "--region", REGION];
        deploy.extend(["--no-confirm-changeset", "--parameter-overrides"]);
        deployment.sam(&deploy, &overrides);
        deployment
    }

    /// The stand-in services' variables as parameters of the template: `EXECUTION_TICKET_SERVICE_URL` is `ExecutionTicketServiceUrl`.
    fn overrides(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let own = [("ENVIRONMENT".to_owned(), "e2e".to_owned())];
        let services = self.platform.endpoints().env().into_iter().chain(own);
        let services = services.map(|(variable, value)| format!("{}={value}", camel(&variable)));
        services.chain(parameters.iter().map(|(name, value)| format!("{name}={value}"))).collect()
    }

    fn sam(&self, arguments: &[&str], more: &[String]) {
        let mut command = Command::new(root().join(".venv-sam/bin/sam"));
        command.args(arguments).args(more).current_dir(root());
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("AWS_ENDPOINT_URL", &self.stack.endpoint_url).env("AWS_DEFAULT_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("SAM_CLI_TELEMETRY", "0");
        command.env("HEAL_BUILD_PROFILE", "prebuilt").env("HEAL_BUILD_PLAYBOOKS", playbooks());
        let begun = std::time::Instant::now();
        let output = command.output().expect("scripts/install-aws-tools.sh puts the SAM command line here");
        let said =
            || format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        eprintln!("sam {} took {} s", arguments.first().unwrap_or(&""), begun.elapsed().as_secs());
        assert!(output.status.success(), "sam {arguments:?}:\n{}", said());
    }

    /// The stack's table. Its connections are those of the caller's async runtime.
    pub async fn store(&self) -> Store {
        Store::new(&table::session(&self.stack).await, format!("{STACK}-runs")).unwrap()
    }

    /// The stack's queues.
    pub async fn queues(&self) -> Queues {
        let prefix = format!("{}/{ACCOUNT}/{STACK}-", self.stack.endpoint_url);
        Queues::new(&table::session(&self.stack).await, QueueUrls::parse("prefix", &prefix).unwrap()).unwrap()
    }

    /// What the functions have logged so far, among what the local AWS says.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.stack.log).unwrap_or_default()
    }
}

/// Playbooks that only the tests need.
fn playbooks() -> PathBuf {
    root().join("tests/stack/playbooks")
}

fn camel(variable: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{}{}", first.to_uppercase(), rest.to_lowercase())
    };
    variable.split('_').map(word).collect()
}
