//! Connections of the clients whose TLS kube sets up: the ticket service, the policy server and Kubernetes.

use std::time::Duration;

use heal_http::UNASKED_BYTES;
use heal_http::connect::{Tcp, Timed};
use hyper_util::client::legacy::connect::Connect;
use kube::client::ConfigExt as _;

pub(crate) use heal_http::Paced;
pub(crate) use heal_http::connect::{CONNECT_TIMEOUT, client};

/// Opens connections within `time`, over TLS as `tls` says.
///
/// Not over reqwest, which connects to the server name that it verifies: a kubeconfig's `tls-server-name` is another name, or an address.
///
/// # Errors
/// The certificate authorities cannot be used.
pub(crate) fn connector(
    tls: &kube::Config,
    time: Duration,
) -> Result<impl Connect + Clone + Send + Sync + use<>, kube::Error> {
    Ok(Timed::new(tls.rustls_https_connector_with_connector(Tcp::bounded(UNASKED_BYTES))?, time))
}
