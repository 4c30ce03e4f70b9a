//! The handshake, and what its failure means.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{ConnectFault, connect_fault, no_identity};
use crate::config::SpiffeId;
use crate::error::{OutageKind, chain};
use crate::identity::{ALPN, X509Identity, client_config, untrusted};

/// Mutual TLS on `stream`: as `identity`, towards `server_id` and nobody else.
pub(super) async fn handshake(
    stream: TcpStream,
    host: &str,
    identity: &X509Identity,
    server_id: &SpiffeId,
) -> Result<TlsStream<TcpStream>, ConnectFault> {
    let config = client_config(identity, server_id).map_err(|error| no_identity(&error))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // Only said to the server, never compared with its certificate.
    let name = ServerName::try_from(bare).map_err(|error| connect_fault(format!("{host}: {error}")))?;
    let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.map_err(|error| {
        let (kind, detail) = match untrusted(&error) {
            Some(reason) => (OutageKind::Untrusted, reason),
            None => (OutageKind::Connect, chain(&error)),
        };
        ConnectFault { kind, detail: format!("TLS handshake: {detail}") }
    })?;
    match stream.get_ref().1.alpn_protocol() {
        Some(ALPN) => Ok(stream),
        Some(_) | None => Err(connect_fault("TLS handshake: the server does not speak HTTP/2".to_owned())),
    }
}
