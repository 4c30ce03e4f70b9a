//! What a machine or a pod knows of a cluster.

use std::path::Path;

use kube::config::{KubeConfigOptions, Kubeconfig};

use super::invalid;
use crate::config::keys;
use crate::error::{Error, chain};

/// The account of the pod that this process is in.
pub(super) fn in_cluster() -> Result<kube::Config, Error> {
    kube::Config::incluster().map_err(|error| {
        let problem = format!("none of them is set, and this is no pod: {}", chain(&error));
        invalid("KUBERNETES_API_URL, KUBECONFIG, EKS_CLUSTER_NAME", problem)
    })
}

/// `path` as kubectl reads `KUBECONFIG`: several files may be named, the first to say a thing counts.
pub(super) async fn kubeconfig(path: &Path) -> Result<kube::Config, Error> {
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
