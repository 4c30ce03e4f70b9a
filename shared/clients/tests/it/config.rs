//! Configuration: defaults of the guide, and every fault named at once.

use std::collections::BTreeMap;
use std::time::Duration;

use heal_clients::config::{
    self, Config, Dialect, Environment, IdentitySource, KubernetesAccess, PolicyFallback, Source, VARIABLES,
};

fn problems(env: &dyn config::Strings) -> Vec<String> {
    match Config::read(env) {
        Ok(_) => Vec::new(),
        Err(invalid) => invalid.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn without_any_variable_the_guides_defaults_hold() {
    let config = Config::read(&[]).unwrap();
    assert_eq!(config.tickets.url.as_str(), "http://execution-ticket-service:8000");
    assert_eq!(config.tickets.timeout, Duration::from_secs(30));
    assert_eq!(config.tickets.dialect, Dialect::Guide);
    assert_eq!((config.tickets.breaker.threshold, config.tickets.breaker.reset), (5, Duration::from_mins(1)));
    assert_eq!(config.orchestrator.host, "orchestrator-dynamic.svc.cluster.local");
    assert_eq!((config.orchestrator.port, config.orchestrator.use_tls), (50052, true));
    assert_eq!(config.orchestrator.timeout, Duration::from_secs(10));
    assert_eq!(
        config.orchestrator.server_id.as_str(),
        "spiffe://neural-hive.local/ns/neural-hive-orchestration/sa/orchestrator-dynamic"
    );
    assert_eq!(config.orchestrator.jwt_audience, "orchestrator-dynamic.neural-hive.local");
    assert_eq!((config.policy.host.as_deref(), config.policy.port), (Some("opa.svc.cluster.local"), 8181));
    assert!(config.policy.enabled && config.policy.fail_open && config.policy.extra_actions.is_empty());
    assert_eq!(config.policy.fallback, PolicyFallback::Bundled);
    assert_eq!(
        config.identity.source,
        IdentitySource::WorkloadApi { socket: "unix:///run/spire/sockets/agent.sock".to_owned() }
    );
    assert_eq!(config.kubernetes.access, KubernetesAccess::InCluster);
    assert_eq!(config.environment, Environment::Other("development".to_owned()));
}

#[test]
fn an_empty_value_counts_as_unset() {
    let config = Config::read(&[("ORCHESTRATOR_GRPC_HOST", ""), ("KUBECONFIG", "  "), ("OPA_PORT", " 9 ")]).unwrap();
    assert_eq!(config.orchestrator.host, "orchestrator-dynamic.svc.cluster.local");
    assert_eq!(config.policy.port, 9);
    assert_eq!(config.kubernetes.access, KubernetesAccess::InCluster);
}

#[test]
fn an_empty_opa_host_means_that_there_is_no_server() {
    for empty in ["", " "] {
        let config = Config::read(&[("OPA_HOST", empty)]).unwrap();
        assert_eq!((config.policy.host, config.policy.fallback), (None, PolicyFallback::Bundled));
    }
    let settings = config::describe(&[("OPA_HOST", "")]);
    let host = settings.iter().find(|setting| setting.name == "OPA_HOST").unwrap();
    assert_eq!((host.value.as_deref(), host.source), (Some(""), Source::Environment));
}

#[test]
fn a_policy_that_nothing_could_decide_is_refused() {
    let found = problems(&[("OPA_HOST", ""), ("OPA_FALLBACK", "none")]);
    assert_eq!(
        found,
        [r#"OPA_FALLBACK is "none", expected bundled, because OPA_HOST is empty and no policy could decide"#]
    );
    assert!(problems(&[("OPA_HOST", "opa"), ("OPA_FALLBACK", "none")]).is_empty());
    let found = problems(&[("OPA_FALLBACK", "server")]);
    assert_eq!(found, [r#"OPA_FALLBACK is "server", expected bundled or none"#]);
}

#[test]
fn every_fault_is_reported_at_once_with_variable_value_and_expectation() {
    let found = problems(&[
        ("EXECUTION_TICKET_SERVICE_URL", "ftp://x"),
        ("EXECUTION_TICKET_SERVICE_TIMEOUT", "0"),
        ("EXECUTION_TICKET_SERVICE_API", "soap"),
        ("EXECUTION_TICKET_CIRCUIT_BREAKER_THRESHOLD", "1001"),
        ("ORCHESTRATOR_GRPC_HOST", "http://x/y"),
        ("ORCHESTRATOR_GRPC_PORT", "70000"),
        ("ORCHESTRATOR_GRPC_USE_TLS", "maybe"),
        ("SPIFFE_TRUST_DOMAIN", "A B"),
        ("SPIFFE_ENDPOINT_SOCKET", "http://x"),
        ("ORCHESTRATOR_SPIFFE_ID", "spiffe://only.domain"),
        ("SPIFFE_IDENTITY_SOURCE", "magic"),
        ("OPA_VALIDATED_ACTIONS", "restart_pod,rm -rf"),
        ("OPA_TIMEOUT_SECONDS", "901"),
        ("KUBERNETES_NAMESPACE", "../kube-system"),
        ("KUBERNETES_API_URL", "localhost:8001"),
        ("KUBERNETES_NAMESPACES", "workers,Kube-System"),
        ("KUBERNETES_WORKER_SELECTOR", "app=worker"),
    ]);
    assert_eq!(found.len(), 17, "{found:#?}");
    for expected in [
        r#"EXECUTION_TICKET_SERVICE_URL is "ftp://x", expected an http:// or https:// URL"#,
        r#"EXECUTION_TICKET_SERVICE_TIMEOUT is "0", expected a whole number of seconds from 1 to 900"#,
        r#"EXECUTION_TICKET_SERVICE_API is "soap", expected guide or status_patch"#,
        r#"ORCHESTRATOR_GRPC_PORT is "70000", expected a port from 1 to 65535"#,
        r#"ORCHESTRATOR_GRPC_USE_TLS is "maybe", expected true or false"#,
        r#"KUBERNETES_NAMESPACES is "workers,Kube-System", expected namespaces separated by commas, each at most 63 of a-z, 0-9 and -, not first or last"#,
        r#"KUBERNETES_WORKER_SELECTOR is "app=worker", expected a label selector with {worker_id} in it, such as app=worker,worker-id={worker_id}"#,
    ] {
        assert!(found.iter().any(|problem| problem == expected), "{expected} not in {found:#?}");
    }
}

#[test]
fn plain_text_is_refused_in_production_and_staging() {
    for name in ["production", "staging", "Production", "STAGING", "prod"] {
        let found = problems(&[("ENVIRONMENT", name), ("ORCHESTRATOR_GRPC_USE_TLS", "false")]);
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].starts_with("ORCHESTRATOR_GRPC_USE_TLS is \"false\", expected true, because ENVIRONMENT is"));
    }
    assert!(problems(&[("ENVIRONMENT", "test"), ("ORCHESTRATOR_GRPC_USE_TLS", "false")]).is_empty());
}

#[test]
fn a_source_names_the_variables_that_it_lacks() {
    let found = problems(&[("SPIFFE_IDENTITY_SOURCE", "files"), ("SPIFFE_X509_SVID_FILE", "/a")]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[0].starts_with("SPIFFE_X509_SVID_KEY_FILE is not set, expected the path of a PEM file"));
    let found = problems(&[("SPIFFE_IDENTITY_SOURCE", "secrets_manager")]);
    assert!(found[0].starts_with("SPIFFE_SECRET_ID is not set"), "{found:#?}");
}

#[test]
fn the_agents_socket_may_be_a_bare_path() {
    for (text, expected) in [
        ("/run/spire/sockets/agent.sock", "unix:///run/spire/sockets/agent.sock"),
        ("unix:///run/agent.sock", "unix:///run/agent.sock"),
        ("tcp://127.0.0.1:8081", "tcp://127.0.0.1:8081"),
    ] {
        let config = Config::read(&[("SPIFFE_ENDPOINT_SOCKET", text)]).unwrap();
        assert!(
            matches!(&config.identity.source, IdentitySource::WorkloadApi { socket } if socket == expected),
            "{text}: {:?}",
            config.identity.source
        );
    }
    let found = problems(&[("SPIFFE_ENDPOINT_SOCKET", "run/agent.sock")]);
    assert!(found[0].contains("unix:///path, /path or tcp://ip:port"), "{found:#?}");
}

#[test]
fn what_is_derived_follows_the_trust_domain() {
    let config = Config::read(&[("SPIFFE_TRUST_DOMAIN", "example.org")]).unwrap();
    assert_eq!(config.orchestrator.server_id.trust_domain(), "example.org");
    assert_eq!(config.orchestrator.jwt_audience, "orchestrator-dynamic.example.org");
}

#[test]
fn the_kubernetes_api_is_found_in_a_fixed_order() {
    let all = [("KUBERNETES_API_URL", "http://127.0.0.1:8001"), ("KUBECONFIG", "/k"), ("EKS_CLUSTER_NAME", "c")];
    let access = |env: &[(&str, &str)]| {
        let env: BTreeMap<String, String> =
            env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Config::read(&env).unwrap().kubernetes.access
    };
    assert!(matches!(access(&all), KubernetesAccess::Url(url) if url.as_str() == "http://127.0.0.1:8001"));
    assert!(matches!(access(&all[1..]), KubernetesAccess::Kubeconfig(_)));
    assert_eq!(access(&all[2..]), KubernetesAccess::Eks { cluster: "c".to_owned() });
}

#[test]
fn the_description_names_every_variable_with_its_source_and_hides_credentials() {
    let env =
        [("EXECUTION_TICKET_SERVICE_URL", "http://me:hunter2@ets:8000"), ("OPA_ENABLED", "false"), ("OPA_PORT", "x")];
    let settings = config::describe(&env);
    let names: Vec<&str> = settings.iter().map(|setting| setting.name).collect();
    let declared: Vec<&str> = VARIABLES.iter().map(|variable| variable.name).collect();
    let sorted = |mut names: Vec<&'static str>| {
        names.sort_unstable();
        names
    };
    assert_eq!(sorted(names), sorted(declared), "each is described, once");
    let of = |name: &str| settings.iter().find(|setting| setting.name == name).unwrap();
    let url = of("EXECUTION_TICKET_SERVICE_URL");
    assert_eq!(url.value.as_deref(), Some("http://***@ets:8000"));
    assert!(url.problem.as_deref().unwrap().contains("without credentials"));
    assert_eq!(of("OPA_ENABLED").source, Source::Environment);
    assert_eq!(of("OPA_HOST").source, Source::Default);
    assert!(of("OPA_PORT").problem.is_some());
    assert!(settings.iter().all(|setting| !setting.purpose.is_empty()));
    let everything = format!("{settings:?} {:?}", problems(&env));
    assert!(!everything.contains("hunter2"), "{everything}");
}

#[test]
fn a_password_is_hidden_however_the_url_is_broken() {
    for url in ["http://u:se/cret@h", "http://u:se?cret@h", "https//u:secret@h", "http://u:secret@"] {
        let found = format!("{:?}", problems(&[("KUBERNETES_API_URL", url)]));
        assert!(!found.is_empty());
        assert!(!found.contains("cret"), "{url}: {found}");
    }
}
