//! `template.yaml`, built and deployed by the SAM CLI onto a local AWS, with the stand-in platform as its target.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use heal_aws::{QueueUrls, Queues, Store};
use heal_sandbox::{Platform, PlatformConfig};
use serde_json::{Value, json};

use crate::ministack::{ACCOUNT, MiniStack, REGION, root};
use crate::table;

/// The name of the stack.
pub const STACK: &str = "heal-e2e";

/// Held while the SAM CLI works: two deployments would build into the same folder.
static SAM: Mutex<()> = Mutex::new(());

/// The deployed engine.
#[derive(Debug)]
pub struct Deployment {
    /// The local AWS.
    pub stack: MiniStack,
    /// The stand-in platform.
    pub platform: Arc<Platform>,
    contents: Contents,
}

/// What is built into the functions besides the shipped playbooks.
#[derive(Debug, Clone)]
pub struct Contents {
    /// A folder of playbooks.
    pub playbooks: PathBuf,
    /// The file of the guardrails.
    pub guardrails: PathBuf,
    /// The folder of the scheduled checks.
    pub checks: PathBuf,
    /// The file of the notifications, if there are any.
    pub notify: Option<PathBuf>,
}

impl Default for Contents {
    /// Those of the end-to-end tests, and the shipped checks.
    fn default() -> Self {
        let own = root().join("tests/stack");
        Self {
            playbooks: own.join("playbooks"),
            guardrails: own.join("guardrails.yaml"),
            checks: root().join("playbooks/checks"),
            notify: Some(own.join("notify.yaml")),
        }
    }
}

impl Deployment {
    /// The deployment that all tests of this process share. `config` configures its platform; `parameters` are added to
    /// the parameters of the template that point at the platform.
    ///
    /// # Panics
    /// If it cannot be deployed, with the output of the SAM CLI.
    pub fn shared(config: impl FnOnce() -> PlatformConfig, parameters: &[(&str, &str)]) -> &'static Self {
        static SHARED: OnceLock<Deployment> = OnceLock::new();
        SHARED.get_or_init(|| Self::start(config(), parameters, &[]))
    }

    /// A separate deployment. The local AWS and the functions get `variables` in their environment.
    ///
    /// # Panics
    /// As [`Deployment::shared`].
    pub fn start(config: PlatformConfig, parameters: &[(&str, &str)], variables: &[(&str, &str)]) -> Self {
        // The platform's sockets are tasks of this runtime, which must outlive the test that runs first.
        let services = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let services: &'static tokio::runtime::Runtime = Box::leak(Box::new(services));
        let platform = {
            let _on_it = services.enter();
            Platform::start(config).unwrap()
        };
        Self::over(platform, Contents::default(), parameters, variables)
    }

    /// As [`Deployment::start`], over a platform that runs already, with `contents` in the functions.
    ///
    /// # Panics
    /// As [`Deployment::shared`].
    pub fn over(
        platform: impl Into<Arc<Platform>>,
        contents: Contents,
        parameters: &[(&str, &str)],
        variables: &[(&str, &str)],
    ) -> Self {
        let own = [("LAMBDA_EXECUTOR", "local"), ("MINISTACK_HOST", "localhost")];
        let stack = MiniStack::start(&[own.as_slice(), variables].concat()).unwrap();
        let deployment = Self { stack, platform: platform.into(), contents };
        let secret = deployment.secret();
        let overrides = deployment.overrides(&[parameters, &[("ApiSecretArn", &secret)]].concat());
        let _alone = SAM.lock().unwrap_or_else(PoisonError::into_inner);
        deployment.sam(&["build", "--config-env", "local"], &[]);
        let mut deploy = vec!["deploy", "--config-env", "local", "--stack-name", STACK, "--region", REGION];
        deploy.extend(["--no-confirm-changeset", "--parameter-overrides"]);
        deployment.sam(&deploy, &overrides);
        deployment
    }

    /// Makes the secret of the HTTP API, and gives its ARN.
    fn secret(&self) -> String {
        let fields = json!({"HEAL_SESSION_KEY": "a key that is for tests of the stack only"});
        let body = json!({"Name": format!("{STACK}-api"), "SecretString": fields.to_string()});
        let create = || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(table::call(&self.stack, "secretsmanager.CreateSecret", &body))
        };
        // The caller may be on a thread of a runtime, which no other one can block.
        let made = std::thread::scope(|scope| scope.spawn(create).join().unwrap());
        made.get("ARN").and_then(Value::as_str).unwrap_or_else(|| panic!("no secret was made: {made}")).to_owned()
    }

    /// The variables of the stand-in services as template parameters: `EXECUTION_TICKET_SERVICE_URL` becomes
    /// `ExecutionTicketServiceUrl`.
    fn overrides(&self, parameters: &[(&str, &str)]) -> Vec<String> {
        let own = [("ENVIRONMENT".to_owned(), "e2e".to_owned())];
        let services = self.platform.endpoints().env().into_iter().chain(own);
        let services = services.map(|(variable, value)| (camel(&variable), value));
        let is_own = |(name, _): &(String, String)| parameters.iter().all(|(parameter, _)| parameter != name);
        let services = services.filter(is_own).map(|(name, value)| format!("{name}={value}"));
        services.chain(parameters.iter().map(|(name, value)| format!("{name}={value}"))).collect()
    }

    fn sam(&self, arguments: &[&str], more: &[String]) {
        let mut command = Command::new(root().join(".venv-sam/bin/sam"));
        command.args(arguments).args(more).current_dir(root());
        command.env_remove("AWS_PROFILE").env_remove("AWS_SESSION_TOKEN");
        command.env("AWS_CONFIG_FILE", "/dev/null").env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command.env("AWS_ENDPOINT_URL", &self.stack.endpoint_url).env("AWS_DEFAULT_REGION", REGION);
        command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("SAM_CLI_TELEMETRY", "0");
        let Contents { playbooks, guardrails, checks, notify } = &self.contents;
        command.env("HEAL_BUILD_PROFILE", "prebuilt").env("HEAL_BUILD_PLAYBOOKS", playbooks);
        command.env("HEAL_BUILD_GUARDRAILS", guardrails).env("HEAL_BUILD_CHECKS", checks);
        command.env("HEAL_BUILD_API", root().join("tests/stack/api.json"));
        command.envs(notify.iter().map(|file| ("HEAL_BUILD_NOTIFY", file)));
        let started = tokio::time::Instant::now();
        let output = command.output().expect("the SAM CLI is installed by scripts/install-aws-tools.sh");
        let printed =
            || format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        eprintln!("sam {} took {} s", arguments.first().unwrap_or(&""), started.elapsed().as_secs());
        assert!(output.status.success(), "sam {arguments:?}:\n{}", printed());
    }

    /// The table of the stack. Its connections belong to the async runtime of the caller.
    pub async fn store(&self) -> Store {
        Store::new(&table::session(&self.stack).await, format!("{STACK}-runs")).unwrap()
    }

    /// The queues of the stack.
    pub async fn queues(&self) -> Queues {
        let prefix = format!("{}/{ACCOUNT}/{STACK}-", self.stack.endpoint_url);
        Queues::new(&table::session(&self.stack).await, QueueUrls::parse("prefix", &prefix).unwrap()).unwrap()
    }

    /// The log of the local AWS so far, which includes the logs of the functions.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.stack.log).unwrap_or_default()
    }
}

fn camel(variable: &str) -> String {
    let word = |word: &str| {
        let (first, rest) = word.split_at(1.min(word.len()));
        format!("{}{}", first.to_uppercase(), rest.to_lowercase())
    };
    variable.split('_').map(word).collect()
}
