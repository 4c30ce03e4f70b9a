//! How the API is reached: a plain URL, a kubeconfig, the in-cluster account, or EKS with signed tokens.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use async_trait::async_trait;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::config::{BaseUrl, KubernetesAccess, keys};
use crate::error::{Error, chain};

/// Makes tokens for an EKS cluster. The signing of the request behind them is not here.
#[async_trait]
pub trait TokenProvider: fmt::Debug + Send + Sync {
    /// A fresh token. Called seldom: a token is used until shortly before it ends.
    async fn token(&self) -> Result<BearerToken, TokenFault>;
}

/// A token for the `authorization` header.
#[derive(Clone)]
pub struct BearerToken {
    pub secret: String,
    pub expires_at: SystemTime,
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BearerToken").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// There is no token to be had just now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("no token: {0}")]
pub struct TokenFault(pub String);

/// An EKS cluster as AWS describes it, and how to sign in.
#[derive(Debug, Clone)]
pub struct EksAccess {
    pub endpoint: BaseUrl,
    /// The cluster's authority, PEM.
    pub authority_pem: String,
    pub tokens: Arc<dyn TokenProvider>,
}

/// The library's configuration for `access`.
pub(super) async fn config(access: &KubernetesAccess, eks: Option<&EksAccess>) -> Result<kube::Config, Error> {
    let mut config = match access {
        KubernetesAccess::Url(url) => {
            let mut config = kube::Config::new(uri(keys::ENV_KUBERNETES_API_URL, url)?);
            if url.as_str().starts_with("http://") {
                // Nothing is verified, so no machine's certificates are read for it.
                config.root_cert = Some(Vec::new());
            }
            config
        }
        KubernetesAccess::Kubeconfig(path) => from_kubeconfig(path).await?,
        KubernetesAccess::InCluster => kube::Config::incluster().map_err(|error| {
            let problem = format!("none of them is set, and this is no pod: {}", chain(&error));
            invalid("KUBERNETES_API_URL, KUBECONFIG, EKS_CLUSTER_NAME", problem)
        })?,
        KubernetesAccess::Eks { cluster } => {
            let Some(eks) = eks else {
                let problem = format!("{cluster} is named, but there is nothing to sign in with");
                return Err(invalid(keys::ENV_EKS_CLUSTER_NAME, problem));
            };
            let mut config = kube::Config::new(uri(keys::ENV_EKS_CLUSTER_NAME, &eks.endpoint)?);
            config.root_cert = Some(authorities(&eks.authority_pem)?);
            config
        }
    };
    // From here on nothing in the environment has a say in where the calls go.
    config.proxy_url = None;
    Ok(config)
}

/// `path` as kubectl reads `KUBECONFIG`: several files may be named, the first to say a thing counts.
async fn from_kubeconfig(path: &Path) -> Result<kube::Config, Error> {
    let fault = |error: &(dyn std::error::Error + 'static)| invalid(keys::ENV_KUBECONFIG, chain(error));
    let mut merged = Kubeconfig::default();
    for file in std::env::split_paths(path.as_os_str()).filter(|file| !file.as_os_str().is_empty()) {
        let next = Kubeconfig::read_from(file).map_err(|error| fault(&error))?;
        merged = merged.merge(next).map_err(|error| fault(&error))?;
    }
    let proxied = merged.clusters.iter().any(|named| {
        named.cluster.as_ref().is_some_and(|cluster| cluster.proxy_url.as_deref().is_some_and(|url| !url.is_empty()))
    });
    if proxied {
        return Err(invalid(keys::ENV_KUBECONFIG, "proxy-url is not supported".to_owned()));
    }
    kube::Config::from_custom_kubeconfig(merged, &KubeConfigOptions::default()).await.map_err(|error| fault(&error))
}

fn authorities(pem: &str) -> Result<Vec<Vec<u8>>, Error> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject;
    let problem =
        |why: String| invalid(keys::ENV_EKS_CLUSTER_NAME, format!("the cluster's authority cannot be read: {why}"));
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
        .map(|certificate| certificate.map(|der| der.to_vec()))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| problem(error.to_string()))?;
    if found.is_empty() { Err(problem("no certificate in it".to_owned())) } else { Ok(found) }
}

fn uri(field: &'static str, url: &BaseUrl) -> Result<http::Uri, Error> {
    url.as_str().parse().map_err(|error: http::uri::InvalidUri| invalid(field, chain(&error)))
}

fn invalid(field: &'static str, problem: String) -> Error {
    Error::Invalid { field, problem }
}
