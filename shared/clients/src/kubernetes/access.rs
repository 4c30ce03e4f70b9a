//! Access to the Kubernetes API: a URL, a kubeconfig, the pod's service account, or EKS with signed tokens.

use std::fmt;
#[cfg(feature = "host")]
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{BaseUrl, KubernetesAccess, keys};
use crate::error::{Error, chain};
use async_trait::async_trait;
#[cfg(feature = "host")]
use kube::config::{KubeConfigOptions, Kubeconfig};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// Issues tokens for an EKS cluster. The implementation signs them with AWS credentials.
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A fresh token. Called rarely: a token is cached until shortly before its expiry.
    ///
    /// # Errors
    /// The credentials are missing or the signature failed.
    async fn token(&self) -> Result<BearerToken, TokenFault>;
}

/// A token for the `authorization` header.
#[derive(Clone)]
pub struct BearerToken {
    /// The token, sent after `Bearer `.
    pub secret: String,
    /// When the API stops accepting it.
    pub expires_at: SystemTime,
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A token could not be issued; holds the cause.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed to issue a token: {0}")]
pub struct TokenFault(pub String);

/// An EKS cluster as `eks:DescribeCluster` returns it, and the source of its tokens.
#[derive(Debug, Clone)]
pub struct EksAccess {
    /// The URL of the API.
    pub endpoint: BaseUrl,
    /// The certificate authority of the API's server, PEM.
    pub authority_pem: String,
    /// Issues the tokens that authenticate the calls.
    pub tokens: Arc<dyn TokenProvider>,
}

/// The variable that says where the API is. Kubernetes itself sets the one of a pod.
pub(super) const fn variable(access: &KubernetesAccess) -> &'static str {
    match access {
        KubernetesAccess::Url(_) => keys::ENV_KUBERNETES_API_URL,
        KubernetesAccess::Kubeconfig(_) => keys::ENV_KUBECONFIG,
        KubernetesAccess::Eks { .. } => keys::ENV_EKS_CLUSTER_NAME,
        KubernetesAccess::InCluster => "KUBERNETES_SERVICE_HOST",
    }
}

/// The library's configuration for `access`; reads the kubeconfig or the service account's files.
#[cfg_attr(not(feature = "host"), expect(clippy::unused_async, reason = "awaits the reading of files under `host`"))]
pub(super) async fn resolve(access: &KubernetesAccess, eks: Option<&EksAccess>) -> Result<kube::Config, Error> {
    let mut config = match access {
        KubernetesAccess::Url(url) => {
            let mut config = kube::Config::new(uri(keys::ENV_KUBERNETES_API_URL, url)?);
            // Plain text needs no authorities; otherwise those of the operating system count.
            config.root_cert = url.as_str().starts_with("http://").then(Vec::new);
            config
        }
        #[cfg(feature = "host")]
        KubernetesAccess::Kubeconfig(path) => kubeconfig(path).await?,
        #[cfg(feature = "host")]
        KubernetesAccess::InCluster => in_cluster()?,
        #[cfg(not(feature = "host"))]
        KubernetesAccess::Kubeconfig(_) => {
            let problem = "is not supported in a function; set EKS_CLUSTER_NAME or KUBERNETES_API_URL".to_owned();
            return Err(invalid(keys::ENV_KUBECONFIG, problem));
        }
        #[cfg(not(feature = "host"))]
        KubernetesAccess::InCluster => {
            return Err(invalid("KUBERNETES_API_URL, EKS_CLUSTER_NAME", "none of them is set".to_owned()));
        }
        KubernetesAccess::Eks { cluster } => {
            let Some(eks) = eks else {
                let problem =
                    format!("{cluster} is named, but this program has no AWS credentials to authenticate with");
                return Err(invalid(keys::ENV_EKS_CLUSTER_NAME, problem));
            };
            let mut config = kube::Config::new(uri(keys::ENV_EKS_CLUSTER_NAME, &eks.endpoint)?);
            config.root_cert = Some(certificates(&eks.authority_pem)?);
            config
        }
    };
    // Discards a proxy that the library took from the environment.
    config.proxy_url = None;
    Ok(config)
}

/// The service account of the pod that this process runs in.
#[cfg(feature = "host")]
fn in_cluster() -> Result<kube::Config, Error> {
    kube::Config::incluster().map_err(|error| {
        let problem = format!("none of them is set, and this process does not run in a pod: {}", chain(&error));
        invalid("KUBERNETES_API_URL, KUBECONFIG, EKS_CLUSTER_NAME", problem)
    })
}

/// Reads `path` as kubectl reads `KUBECONFIG`: a list of files, of which the first to set a value wins.
#[cfg(feature = "host")]
async fn kubeconfig(path: &Path) -> Result<kube::Config, Error> {
    let invalid_file = |error: &(dyn std::error::Error + 'static)| invalid(keys::ENV_KUBECONFIG, chain(error));
    let mut merged = Kubeconfig::default();
    for file in std::env::split_paths(path.as_os_str()).filter(|file| !file.as_os_str().is_empty()) {
        let next = Kubeconfig::read_from(file).map_err(|error| invalid_file(&error))?;
        merged = merged.merge(next).map_err(|error| invalid_file(&error))?;
    }
    let proxied = merged.clusters.iter().any(|named| {
        named.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty()))
    });
    if proxied {
        return Err(invalid(keys::ENV_KUBECONFIG, "proxy-url is not supported".to_owned()));
    }
    kube::Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default())
        .await
        .map_err(|error| invalid_file(&error))
}

/// The certificates of `pem`, DER.
fn certificates(pem: &str) -> Result<Vec<Vec<u8>>, Error> {
    let problem = |why: String| {
        invalid(keys::ENV_EKS_CLUSTER_NAME, format!("failed to parse the cluster's certificate authority: {why}"))
    };
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| certificate.map(|certificate| certificate.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| problem(error.to_string()))?;
    if found.is_empty() { Err(problem("it contains no certificate".to_owned())) } else { Ok(found) }
}

fn uri(field: &'static str, url: &BaseUrl) -> Result<http::Uri, Error> {
    url.as_str().parse().map_err(|error: http::uri::InvalidUri| invalid(field, chain(&error)))
}

fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}
