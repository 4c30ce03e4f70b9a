//! The platform of one cell, with its fault, and the environment that points `heal` at it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use heal_sandbox::kubernetes::KubernetesConfig;
use heal_sandbox::opa::{Decision, OpaConfig};
use heal_sandbox::spiffe_ca::{PemFiles, SpiffeCa, TRUST_DOMAIN, Validity, X509Svid};
use heal_sandbox::{Fault as Injected, Platform, PlatformConfig, Service, TlsMaterial};
use tempfile::TempDir;

use crate::cell::{Cell, Injection};
use crate::fault::{Extent, Fault};
use crate::front::Front;
use crate::scenario::Like;
use crate::{scenario, settings};

const POLICY: &str = include_str!("../../../policies/self_healing/playbook_validation.rego");
const OWN_ID: &str = "spiffe://neural-hive.local/ns/neural-hive-resilience/sa/self-healing-engine";
const IMPOSTOR_ID: &str = "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/impostor";

/// The identities of every cell: the orchestrator, an impostor of its trust domain, `heal` itself, and a server of another authority.
pub(crate) struct Identities {
    orchestrator: TlsMaterial,
    impostor: TlsMaterial,
    stranger: X509Svid,
    own: PemFiles,
    folder: TempDir,
}

/// One running platform with its fault.
pub(crate) struct World {
    pub(crate) platform: Platform,
    /// The whole environment of `heal`.
    pub(crate) env: BTreeMap<String, String>,
    _front: Option<Front>,
}

impl Identities {
    pub(crate) fn new() -> Self {
        let authority = SpiffeCa::new(TRUST_DOMAIN).unwrap();
        let issue = |id: &str| authority.issue(id, Validity::default()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let stranger =
            SpiffeCa::new("elsewhere.local").unwrap().issue("spiffe://elsewhere.local/a", Validity::default());
        Self {
            orchestrator: authority.orchestrator_tls().unwrap(),
            impostor: issue(IMPOSTOR_ID).server_tls(),
            stranger: stranger.unwrap(),
            own: issue(OWN_ID).write_pem_files(folder.path()).unwrap(),
            folder,
        }
    }

    /// A kubeconfig for the API at `address` that trusts the authority of the trust domain alone.
    fn kubeconfig(&self, address: SocketAddr) -> PathBuf {
        let path = self.folder.path().join(format!("kubeconfig-{}", address.port()));
        let text = serde_json::json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "c", "cluster": {
                "server": format!("https://{address}"), "certificate-authority": self.own.trust_bundle,
            }}],
            "users": [{"name": "u", "user": {}}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        });
        std::fs::write(&path, text.to_string()).unwrap();
        path
    }
}

impl World {
    /// Starts the platform of `cell`, and injects the cell's fault.
    pub(crate) async fn start(cell: Cell, identities: &Identities) -> Self {
        let injection = cell.injection;
        let is = |service, fault| injection.is_some_and(|found| (found.service, found.fault) == (service, fault));
        let base = match cell.like {
            Like::Deployed => PlatformConfig::like_deployed(),
            Like::Guide => PlatformConfig::default(),
        };
        let mut config = PlatformConfig {
            opa: OpaConfig { policy: Some(POLICY.to_owned()), ..base.opa.clone() },
            kubernetes: KubernetesConfig { ready_after: settings::POD_READY_AFTER, ..base.kubernetes.clone() },
            control_port: None,
            seed: scenario::seed(cell.like),
            ..base
        };
        let is_impostor = is(Service::Orchestrator, Fault::Impostor);
        let tls = if is_impostor { &identities.impostor } else { &identities.orchestrator };
        config.orchestrator.tls = Some(tls.clone());
        if is(Service::Opa, Fault::WrongDialect) {
            config.opa.decision = Decision::Undefined;
        }
        let platform = Platform::start(config).unwrap();
        let mut env = env(&platform, identities);
        let mut front = None;
        if let Some(injection) = injection {
            inject(&platform, cell, injection);
            front = misconfigure(&mut env, &platform, injection, identities).await;
        }
        Self { platform, env, _front: front }
    }
}

fn env(platform: &Platform, identities: &Identities) -> BTreeMap<String, String> {
    let path = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let own = [
        ("ENVIRONMENT", "production".to_owned()),
        ("SPIFFE_IDENTITY_SOURCE", "files".to_owned()),
        ("SPIFFE_X509_SVID_FILE", path(&identities.own.certificate_chain)),
        ("SPIFFE_X509_SVID_KEY_FILE", path(&identities.own.private_key)),
        ("SPIFFE_TRUST_BUNDLE_FILE", path(&identities.own.trust_bundle)),
        ("KUBERNETES_NAMESPACE", settings::NAMESPACE.to_owned()),
        ("RUST_LOG", "error".to_owned()),
    ];
    let own = own.map(|(name, value)| (name.to_owned(), value));
    let timeouts = Service::ALL
        .map(|service| (settings::timeout_variable(service).to_owned(), settings::call_seconds(service).to_string()));
    platform.env().into_iter().chain(own).chain(timeouts).collect()
}

fn inject(platform: &Platform, cell: Cell, injection: Injection) {
    let Some(kind) = injection.fault.kind(injection.service) else { return };
    let fault = Injected::new(injection.service, kind);
    let fault = match injection.extent {
        Extent::WholeRun => fault,
        Extent::FirstChange => fault.on(cell.scenario.change(injection.service, cell.like).unwrap()).times(1),
    };
    platform.set_fault(fault).unwrap();
}

/// Sets the variables of a fault of the configuration, and starts the server that such a fault needs.
async fn misconfigure(
    env: &mut BTreeMap<String, String>,
    platform: &Platform,
    injection: Injection,
    identities: &Identities,
) -> Option<Front> {
    let endpoints = platform.endpoints();
    let mut set = |name: &str, value: String| env.insert(name.to_owned(), value);
    match (injection.fault, injection.service) {
        (Fault::WrongDialect, Service::Tickets) => {
            set("EXECUTION_TICKET_SERVICE_API", "guide".to_owned());
        }
        (Fault::WrongAddress, Service::Tickets) => {
            set("EXECUTION_TICKET_SERVICE_URL", endpoints.tickets_url.trim_end_matches("/api/v1").to_owned());
        }
        (Fault::WrongAddress, Service::Orchestrator) => {
            set("ORCHESTRATOR_GRPC_PORT", endpoints.opa.port().to_string());
        }
        (Fault::WrongAddress, Service::Kubernetes) => {
            set("KUBERNETES_API_URL", endpoints.url(Service::Opa));
        }
        (Fault::WrongAddress, Service::Opa) => {
            set("OPA_PORT", address(&endpoints.kubernetes_url).port().to_string());
        }
        (Fault::UndecidedClosed | Fault::UndecidedOpen, _) => {
            set("OPA_FALLBACK", "none".to_owned());
            set("OPA_FAIL_OPEN", (injection.fault == Fault::UndecidedOpen).to_string());
        }
        (Fault::Impostor, Service::Tickets) => {
            let front = Front::start(&identities.stranger, address(&endpoints.tickets_url)).await;
            set("EXECUTION_TICKET_SERVICE_URL", format!("https://{}/api/v1", front.address));
            return Some(front);
        }
        (Fault::Impostor, Service::Kubernetes) => {
            let front = Front::start(&identities.stranger, address(&endpoints.kubernetes_url)).await;
            env.remove("KUBERNETES_API_URL");
            env.insert("KUBECONFIG".to_owned(), identities.kubeconfig(front.address).to_str().unwrap().to_owned());
            return Some(front);
        }
        _ => {}
    }
    None
}

/// The address in a URL such as `http://127.0.0.1:8000/api/v1`.
fn address(url: &str) -> SocketAddr {
    let rest = url.strip_prefix("http://").unwrap();
    rest.split('/').next().unwrap().parse().unwrap()
}
