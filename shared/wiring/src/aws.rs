//! AWS behind the clients' traits: the secret that holds the identity, and the access to an EKS cluster.
//!
//! No AWS session is opened unless the configuration names a secret or a cluster.

use std::sync::Arc;

use ::heal_aws::{Session, eks, secrets};
use async_trait::async_trait;
use heal_clients::config::{BaseUrl, IdentityConfig, IdentitySource, KubernetesAccess, KubernetesConfig};
use heal_clients::identity::{SecretFault, SecretReader};
use heal_clients::kubernetes::{BearerToken, EksAccess, TokenFault, TokenProvider};
use heal_runtime::port::SystemClock;

/// Why AWS did not give what the configuration names there.
#[derive(Debug, thiserror::Error)]
pub enum AwsError {
    /// The call, or the settings that it needs.
    #[error(transparent)]
    Call(#[from] ::heal_aws::Error),
    /// AWS describes the cluster with an endpoint that cannot be called.
    #[error("endpoint of EKS cluster {cluster} is {endpoint:?}, expected {expected}")]
    Endpoint {
        /// Name of the cluster.
        cluster: String,
        /// The endpoint as AWS describes it.
        endpoint: String,
        /// What was expected instead.
        expected: String,
    },
}

/// The reader of the identity's secret; `None` unless the identity comes from AWS Secrets Manager.
///
/// # Errors
/// The AWS settings name no region, or an endpoint that is not a URL.
pub async fn secret_reader(config: &IdentityConfig) -> Result<Option<Arc<dyn SecretReader>>, AwsError> {
    match &config.source {
        IdentitySource::SecretsManager { .. } => {
            let session = Session::from_env().await?;
            Ok(Some(Arc::new(Secrets(secrets::Client::new(&session)?))))
        }
        IdentitySource::WorkloadApi { .. } | IdentitySource::Files(_) | IdentitySource::None => Ok(None),
    }
}

/// The EKS cluster that the configuration names, as AWS describes it; `None` unless it names one.
///
/// # Errors
/// AWS refuses to describe the cluster, or describes it without a usable endpoint.
pub async fn cluster(config: &KubernetesConfig) -> Result<Option<EksAccess>, AwsError> {
    match &config.access {
        KubernetesAccess::Eks { cluster } => {
            let session = Session::from_env().await?;
            access(&session, cluster).await.map(Some)
        }
        KubernetesAccess::Url(_) | KubernetesAccess::Kubeconfig(_) | KubernetesAccess::InCluster => Ok(None),
    }
}

async fn access(session: &Session, cluster: &str) -> Result<EksAccess, AwsError> {
    let name = eks::ClusterName::parse(cluster)?;
    let described = eks::describe(session, &name).await?;
    let endpoint = BaseUrl::parse(&described.endpoint).map_err(|expected| AwsError::Endpoint {
        cluster: name.to_string(),
        endpoint: described.endpoint.clone(),
        expected: expected.clone(),
    })?;
    let tokens = Arc::new(Tokens(eks::Tokens::new(session, name, Arc::new(SystemClock))));
    Ok(EksAccess { endpoint, authority_pem: described.authority_pem, tokens })
}

#[derive(Debug)]
struct Secrets(secrets::Client);

#[async_trait]
impl SecretReader for Secrets {
    async fn read(&self, secret_id: &str) -> Result<Vec<u8>, SecretFault> {
        self.0.read(secret_id).await.map_err(|error| SecretFault(error.to_string()))
    }
}

#[derive(Debug)]
struct Tokens(eks::Tokens);

#[async_trait]
impl TokenProvider for Tokens {
    async fn token(&self) -> Result<BearerToken, TokenFault> {
        let token = self.0.token().await.map_err(|error| TokenFault(error.to_string()))?;
        Ok(BearerToken { secret: token.secret, expires_at: token.expires_at })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use ::heal_aws::{AwsOverrides, Keys};
    use axum::Router;
    use axum::extract::{Request, State};
    use axum::http::StatusCode;
    use axum::response::{IntoResponse as _, Response};
    use axum::serve::ListenerExt as _;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use heal_clients::config::Config;
    use heal_clients::identity::{IdentityError, Secret};
    use heal_clients::{CallContext, IdentityProvider as _, Wiring, kubernetes};
    use heal_sandbox::spiffe_ca::{SpiffeCa, TRUST_DOMAIN, Validity};
    use serde_json::json;

    use super::*;

    const ENGINE_ID: &str = "spiffe://neural-hive.local/ns/self-healing/sa/engine";

    /// EKS, the cluster's API and Secrets Manager in one; it keeps the `authorization` header of every call.
    struct FakeAws {
        url: String,
        ca: SpiffeCa,
        /// Path and `authorization`.
        calls: Mutex<Vec<(String, String)>>,
    }

    async fn fake_aws() -> (Arc<FakeAws>, Session) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let ca = SpiffeCa::new(TRUST_DOMAIN).unwrap();
        let aws = Arc::new(FakeAws { url: url.clone(), ca, calls: Mutex::default() });
        let router = Router::new().fallback(answer).with_state(Arc::clone(&aws));
        let listener = listener.tap_io(|stream| stream.set_nodelay(true).unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let session = session_at(&url).await;
        (aws, session)
    }

    async fn session_at(url: &str) -> Session {
        let keys = Keys {
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret_access_key: "hunter2".to_owned(),
            session_token: None,
            expires_at: None,
        };
        let (region, endpoint_url) = (Some("eu-central-1".to_owned()), Some(url.to_owned()));
        Session::load(AwsOverrides { region, keys: Some(keys), endpoint_url }).await.unwrap()
    }

    async fn answer(State(aws): State<Arc<FakeAws>>, request: Request) -> Response {
        let path = request.uri().path().to_owned();
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        aws.calls.lock().unwrap().push((path.clone(), authorization));
        let body = match path.as_str() {
            "/clusters/prod" => {
                let authority = STANDARD.encode(aws.ca.trust_bundle_pem());
                json!({"cluster": {"endpoint": aws.url, "certificateAuthority": {"data": authority}}})
            }
            "/clusters/odd" => json!({"cluster": {"endpoint": "ftp://k", "certificateAuthority": {"data": ""}}}),
            "/" => {
                let svid = aws.ca.issue(ENGINE_ID, Validity::default()).unwrap();
                let secret = json!({
                    "x509Svid": svid.certificate_chain_pem, "x509SvidKey": svid.private_key_pem,
                    "bundle": svid.trust_bundle_pem
                });
                json!({"SecretString": secret.to_string()})
            }
            _ => {
                let gone = json!({"kind": "Status", "code": 404, "reason": "NotFound"});
                return (StatusCode::NOT_FOUND, axum::Json(gone)).into_response();
            }
        };
        axum::Json(body).into_response()
    }

    #[tokio::test]
    async fn a_cluster_is_called_at_the_endpoint_that_aws_describes_with_a_signed_token() {
        let (aws, session) = fake_aws().await;
        let config = Config::read(&[("EKS_CLUSTER_NAME", "prod")]).unwrap().kubernetes;
        let access = access(&session, "prod").await.unwrap();
        let client = kubernetes::Client::new(&config, Some(&access), &Wiring::default()).await.unwrap();
        for _ in 0..2 {
            let context = CallContext::within(Duration::from_secs(5));
            let health = client.pod_health("worker-0", None, &context).await.unwrap();
            assert_eq!(health, None);
        }
        let calls = aws.calls.lock().unwrap().clone();
        let (paths, signed): (Vec<_>, Vec<_>) = calls.into_iter().unzip();
        let pod = "/api/v1/namespaces/default/pods/worker-0";
        assert_eq!(paths, ["/clusters/prod", pod, pod]);
        assert!(signed[0].starts_with("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/"), "{signed:?}");
        assert!(signed[1].starts_with("Bearer k8s-aws-v1."), "{signed:?}");
        assert_eq!(signed[1], signed[2], "one token for both");
    }

    #[tokio::test]
    async fn a_cluster_that_aws_does_not_describe_is_named() {
        let (_aws, session) = fake_aws().await;
        for (name, text) in [
            ("odd", "endpoint of EKS cluster odd is \"ftp://k\", expected an http:// or https:// URL"),
            ("none", "EKS cluster none does not exist: no message"),
            ("a/b", "EKS_CLUSTER_NAME: \"a/b\" is not a cluster's name"),
        ] {
            let error = format!("{:#}", access(&session, name).await.unwrap_err());
            assert!(error.starts_with(text), "{error}");
        }
    }

    #[tokio::test]
    async fn an_identity_is_read_from_its_secret() {
        let (_aws, session) = fake_aws().await;
        let reader = Arc::new(Secrets(secrets::Client::new(&session).unwrap()));
        let identity = Secret::new("spiffe/engine", TRUST_DOMAIN, reader).x509().await.unwrap();
        assert_eq!(identity.spiffe_id(), ENGINE_ID);

        let unreachable = session_at("http://127.0.0.1:1").await;
        let reader = Arc::new(Secrets(secrets::Client::new(&unreachable).unwrap()));
        let error = Secret::new("spiffe/engine", TRUST_DOMAIN, reader).x509().await.unwrap_err();
        assert!(
            matches!(&error, IdentityError::Unavailable { origin, .. } if origin == "secret spiffe/engine"),
            "{error}"
        );
    }

    #[tokio::test]
    async fn no_session_is_opened_unless_aws_is_configured() {
        let config = Config::read(&[]).unwrap();
        assert!(secret_reader(&config.identity).await.unwrap().is_none());
        assert!(cluster(&config.kubernetes).await.unwrap().is_none());
    }
}
