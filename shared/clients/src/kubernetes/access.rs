//! How the API is reached: a plain URL, a kubeconfig, the in-cluster account, or EKS with signed tokens.

#[cfg(feature = "host")]
mod host;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use crate::config::{BaseUrl, KubernetesAccess, keys};
use crate::error::{Error, chain};
use async_trait::async_trait;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

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

/// Where the API is, and who vouches for it.
pub(super) struct Place {
    pub config: kube::Config,
    pub authorities: Authorities,
}

/// Who vouches for the API's server.
pub(super) enum Authorities {
    /// Nobody, over plain text.
    None,
    /// Those of the machine.
    Machine,
    Given(Vec<CertificateDer<'static>>),
    /// Those that the library's configuration names, with whatever else it says of TLS.
    #[cfg(feature = "host")]
    OfConfig,
}

/// Where `access` leads.
#[cfg_attr(not(feature = "host"), expect(clippy::unused_async, reason = "it waits where there are files to read"))]
pub(super) async fn place(access: &KubernetesAccess, eks: Option<&EksAccess>) -> Result<Place, Error> {
    let (mut config, authorities) = match access {
        KubernetesAccess::Url(url) => {
            let is_plain = url.as_str().starts_with("http://");
            let authorities = if is_plain { Authorities::None } else { Authorities::Machine };
            (kube::Config::new(uri(keys::ENV_KUBERNETES_API_URL, url)?), authorities)
        }
        #[cfg(feature = "host")]
        KubernetesAccess::Kubeconfig(path) => (host::kubeconfig(path).await?, Authorities::OfConfig),
        #[cfg(feature = "host")]
        KubernetesAccess::InCluster => (host::in_cluster()?, Authorities::OfConfig),
        #[cfg(not(feature = "host"))]
        KubernetesAccess::Kubeconfig(_) => {
            let problem = "is not read by a function; name the cluster, or the API's URL".to_owned();
            return Err(invalid(keys::ENV_KUBECONFIG, problem));
        }
        #[cfg(not(feature = "host"))]
        KubernetesAccess::InCluster => {
            return Err(invalid("KUBERNETES_API_URL, EKS_CLUSTER_NAME", "none of them is set".to_owned()));
        }
        KubernetesAccess::Eks { cluster } => {
            let Some(eks) = eks else {
                let problem = format!("{cluster} is named, but there is nothing to sign in with");
                return Err(invalid(keys::ENV_EKS_CLUSTER_NAME, problem));
            };
            let authorities = Authorities::Given(certificates(&eks.authority_pem)?);
            (kube::Config::new(uri(keys::ENV_EKS_CLUSTER_NAME, &eks.endpoint)?), authorities)
        }
    };
    // From here on nothing in the environment has a say in where the calls go.
    config.proxy_url = None;
    Ok(Place { config, authorities })
}

fn certificates(pem: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let problem =
        |why: String| invalid(keys::ENV_EKS_CLUSTER_NAME, format!("the cluster's authority cannot be read: {why}"));
    let found = CertificateDer::pem_slice_iter(pem.as_bytes())
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
