//! A TLS server before a plain-text service, with a certificate that nobody should trust.

use std::net::SocketAddr;
use std::sync::Arc;

use heal_sandbox::spiffe_ca::X509Svid;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// The running server. A client that accepts its certificate reaches the service behind it. Dropping it stops it.
pub(crate) struct Front {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    accepting: JoinHandle<()>,
}

impl Front {
    /// Serves the plain-text service at `behind` with the certificate of `identity`.
    pub(crate) async fn start(identity: &X509Svid, behind: SocketAddr) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(server_config(identity)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let accepting = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(forward(acceptor.clone(), stream, behind));
            }
        });
        Self { address, accepting }
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn forward(acceptor: TlsAcceptor, stream: TcpStream, behind: SocketAddr) {
    // A client that refuses the certificate ends the handshake with an alert.
    let Ok(mut stream) = acceptor.accept(stream).await else { return };
    let Ok(mut service) = TcpStream::connect(behind).await else { return };
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut service).await;
}

fn server_config(identity: &X509Svid) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let chain = vec![CertificateDer::from(identity.certificate_der.clone())];
    let key = PrivateKeyDer::try_from(identity.private_key_der.clone()).unwrap();
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}
