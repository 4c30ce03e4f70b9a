//! The environment variables of all programs: `heal` and the Lambda functions.
//!
//! Each variable is defined once, in the crate that reads it: the clients' in [`heal_clients::config`], AWS's own in
//! [`heal_aws::variables`], the telemetry's in [`heal_telemetry`], and here those of the programs themselves. [`all`] joins them. The test
//! `environment` holds `docs/configuration.md` and the stack's template to this table.

use heal_aws::variables as aws;
use heal_clients::config::Kind::{Boolean, Secret, Text, Url};
use heal_clients::config::{self, Kind, Readers, Variable};
use heal_telemetry::{export, logs};

/// State file that `heal` uses if no other is named.
pub const DEFAULT_STATE: &str = ".heal/state.db";

heal_clients::variables! {
    ENV_PLAYBOOKS = "HEAL_PLAYBOOKS", Path, Heal, Some("playbooks"),
        "Folder of the playbooks, one `NAME.yaml` each";
    ENV_CHECKS = "HEAL_CHECKS", Path, Heal, None,
        "Folder of the scheduled checks, one `NAME.yaml` each; by default `checks` in the folder of the playbooks, if it exists";
    ENV_GUARDRAILS = "HEAL_GUARDRAILS", Path, Heal, None,
        "File of the guardrails; by default `guardrails.yaml` in the folder of the playbooks, or the defaults without one";
    ENV_HOOKS = "HEAL_HOOKS", Path, Heal, None,
        "File of the hooks, which turn alerts into incidents; by default `hooks.yaml` in the folder of the playbooks, or none without it";
    ENV_NOTIFY = "HEAL_NOTIFY", Path, Heal, None,
        "File of the notifications; by default `notify.yaml` in the folder of the playbooks, and nobody is told without one";
    ENV_PUBLIC_URL = "HEAL_PUBLIC_URL", Url, Both, None,
        "Address under which people reach the console, for the links in notifications; without it they have no link";
    ENV_LINK_KEY = "HEAL_LINK_KEY", Secret, Both, None,
        "Key that signs the links to approvals, at least 32 bytes; without it notifications link to runs only";
    ENV_STATE = "HEAL_STATE", Path, Heal, Some(DEFAULT_STATE),
        "SQLite file that keeps runs, queues, claims and cooldowns; `heal run` keeps nothing by default";
    ENV_STACK = "HEAL_STACK", Text, Heal, None,
        "Name of the deployed stack that `heal runs`, `incident` and `dlq` work on; by default the local stack of `make stack`, if it exists";
    ENV_TABLE = "HEAL_TABLE", Text, Both, None,
        "DynamoDB table of the stack: runs, claims, cooldowns, breakers and checks";
    ENV_QUEUE_URL_PREFIX = "HEAL_QUEUE_URL_PREFIX", Text, Both, None,
        "Beginning of the URLs of the stack's queues, up to and including the stack's name and a dash";
    ENV_PLAYBOOKS_FILE = "HEAL_PLAYBOOKS_FILE", Path, Functions, Some("playbooks.json"),
        "File of the compiled playbooks (`heal playbook compile`), read by the dispatcher";
    ENV_CHECKS_FILE = "HEAL_CHECKS_FILE", Path, Functions, Some("checks.json"),
        "File of the compiled checks (`heal check compile`), read by the scheduled checks";
    ENV_GUARDRAILS_FILE = "HEAL_GUARDRAILS_FILE", Path, Functions, Some("guardrails.json"),
        "File of the compiled guardrails (`heal guardrails compile`), read by the dispatcher and every action";
    ENV_API_SENDER = "HEAL_API_SENDER", Text, Functions, None,
        "Identity that SQS attests for the function `api`, `iam:ROLE_ID:FUNCTION`: the dispatcher believes what its messages say about who orders a change";
    ENV_API_ROLE = "HEAL_API_ROLE", Choice, Functions, Some("none"),
        "Role of a caller that API Gateway has identified and the file of identities does not name: `none`, `viewer`, `operator`, `approver` or `admin`";
    ENV_API_FILE = "HEAL_API_FILE", Path, Functions, Some("api.json"),
        "File of the compiled identities (`heal access compile`), read by the function `api`";
    ENV_HOOKS_FILE = "HEAL_HOOKS_FILE", Path, Functions, Some("hooks.json"),
        "File of the compiled hooks (`heal hook compile`), read by the function `api`";
    ENV_NOTIFY_FILE = "HEAL_NOTIFY_FILE", Path, Functions, Some("notify.json"),
        "File of the compiled notifications (`heal notify compile`), read by the function `notify` and, if it is set, by the dispatcher";
    ENV_SECRET = "HEAL_SECRET", Text, Functions, None,
        "ARN of a secret in Secrets Manager whose JSON object has the secret variables that the environment does not set, each under its own name";
    ENV_SESSION_KEY = "HEAL_SESSION_KEY", Secret, Functions, None,
        "Key that seals the sessions of the function `api`, at least 32 bytes: its processes share it, so that people stay signed in";
    ENV_RUN_RETENTION_DAYS = "HEAL_RUN_RETENTION_DAYS", Days, Both, Some("90"),
        "Days after which an ended run is removed from the stack's table, or by `heal serve` from its state file: 1 to 3650";
    ENV_LISTEN = "HEAL_LISTEN", Text, Heal, Some("127.0.0.1:8080"),
        "Address of the HTTP API of `heal serve`; port 0 takes a free one";
    ENV_API = "HEAL_API", Path, Heal, None,
        "File of the HTTP API's identities and host names; without one the API is for a trial on loopback";
    ENV_OIDC_CLIENT_SECRET = "HEAL_OIDC_CLIENT_SECRET", Secret, Both, None,
        "Secret of the client at the OIDC issuer, by which people sign in; a public client has none";
    ENV_LOG_FORMAT = "HEAL_LOG_FORMAT", Choice, Heal, Some("human"),
        "Format of the log lines on standard error: `human` or `json`";
    ENV_NO_COLOR = "NO_COLOR", Text, Heal, None,
        "Any value switches colours off";
}

/// The variables that the telemetry and AWS's own settings define.
const OTHERS: &[Variable] = &[
    row(logs::ENV_RUST_LOG, Text, Readers::Both, Some(logs::DEFAULT), "Log filter: a level, or levels by target"),
    row(export::ENV_OTLP_ENDPOINT, Secret, Readers::Both, None, "OTLP endpoint of metrics and traces"),
    row(export::ENV_OTLP_METRICS_ENDPOINT, Secret, Readers::Both, None, "OTLP endpoint of the metrics alone"),
    row(export::ENV_OTLP_TRACES_ENDPOINT, Secret, Readers::Both, None, "OTLP endpoint of the traces alone"),
    row(export::ENV_OTLP_HEADERS, Secret, Readers::Both, None, "Headers of the OTLP requests, `name=value` and commas"),
    row(
        export::ENV_METRICS_NAMESPACE,
        Text,
        Readers::Functions,
        Some(export::DEFAULT_NAMESPACE),
        "CloudWatch namespace of the metrics",
    ),
    row(aws::REGION, Text, Readers::Both, None, "AWS region of the stack, of the secret and of the EKS cluster"),
    row(aws::DEFAULT_REGION, Text, Readers::Both, None, "AWS region if `AWS_REGION` is unset"),
    row(aws::PROFILE, Text, Readers::Heal, None, "Profile of the AWS configuration files"),
    row(aws::ACCESS_KEY_ID, Text, Readers::Both, None, "AWS credentials: id of the access key"),
    row(aws::SECRET_ACCESS_KEY, Secret, Readers::Both, None, "AWS credentials: the secret access key"),
    row(aws::SESSION_TOKEN, Secret, Readers::Both, None, "AWS credentials: the session token of temporary ones"),
    row(aws::ENDPOINT_URL, Url, Readers::Both, None, "Endpoint of all AWS services, such as a local one"),
    row(aws::ENDPOINT_URL_DYNAMODB, Url, Readers::Both, None, "Endpoint of DynamoDB"),
    row(aws::ENDPOINT_URL_EKS, Url, Readers::Both, None, "Endpoint of EKS"),
    row(aws::ENDPOINT_URL_SECRETS_MANAGER, Url, Readers::Both, None, "Endpoint of Secrets Manager"),
    row(aws::ENDPOINT_URL_SNS, Url, Readers::Both, None, "Endpoint of SNS"),
    row(aws::ENDPOINT_URL_SQS, Url, Readers::Both, None, "Endpoint of SQS"),
    row(aws::ENDPOINT_URL_STS, Url, Readers::Both, None, "Endpoint of STS"),
    row(aws::USE_FIPS_ENDPOINT, Boolean, Readers::Both, None, "FIPS endpoints of DynamoDB, SQS and Secrets Manager"),
    row(aws::USE_DUALSTACK_ENDPOINT, Boolean, Readers::Both, None, "Dual-stack endpoints of the same services"),
];

/// Every environment variable that a program of this repository reads, but for those that AWS Lambda and Kubernetes set by themselves.
pub fn all() -> impl Iterator<Item = &'static Variable> {
    config::VARIABLES.iter().chain(VARIABLES).chain(OTHERS)
}

const fn row(
    name: &'static str,
    kind: Kind,
    readers: Readers,
    default: Option<&'static str>,
    purpose: &'static str,
) -> Variable {
    Variable { name, kind, readers, default, purpose }
}
