//! The handshakes of a connection, TLS and HTTP/2, and what a failed one says of the server.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::pki_types::ServerName;
use rustls::{AlertDescription, CertificateError, OtherError};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::fault::{ConnectError, Setting};
use super::preface::{Opening, Watched};
use super::{Driver, Sender};
use crate::config::SpiffeId;
use crate::connect::Paced;
use crate::error::chain;
use crate::identity::{ALPN, IdentityError, WrongServer, X509Identity, client_config};

/// Interval of HTTP/2 pings during a call; they tell a dead connection from a slow response. Not shorter: a gRPC server closes the
/// connection after too many pings (gRPC core: 2 without data).
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(4);

/// A connection is dead if a ping is not acknowledged within this time.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Bytes that a server may send before they are read, of one answer and of all: no answer is longer than the first.
const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 2 * STREAM_WINDOW_BYTES;

/// Longest metadata of an answer, decoded: a compressed header field can stand for thousands.
const MAX_METADATA_BYTES: u32 = 16 * 1024;

/// The alerts by which a server refuses the certificate of this process (RFC 8446, section 6.2).
const CERTIFICATE_ALERTS: [AlertDescription; 9] = [
    AlertDescription::BadCertificate,
    AlertDescription::UnsupportedCertificate,
    AlertDescription::CertificateRevoked,
    AlertDescription::CertificateExpired,
    AlertDescription::CertificateUnknown,
    AlertDescription::UnknownCA,
    AlertDescription::AccessDenied,
    AlertDescription::DecryptError,
    AlertDescription::CertificateRequired,
];

/// Both ends of mutual TLS, for the explanation of a handshake that failed.
pub(super) struct Ends<'a> {
    pub identity: &'a X509Identity,
    pub server_id: &'a SpiffeId,
}

/// Performs the handshake of mutual TLS: authenticates as the identity and accepts only the server with the expected id.
pub(super) async fn tls_handshake(
    stream: Paced<TcpStream>,
    host: &str,
    ends: &Ends<'_>,
) -> Result<TlsStream<Paced<TcpStream>>, ConnectError> {
    let config = client_config(ends.identity, ends.server_id).map_err(|error| ends.explain_identity(&error))?;
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    // Sent as SNI only: the server is verified by its SPIFFE ID, not by its host name.
    let name = ServerName::try_from(bare).map_err(|error| ConnectError::away(format!("{host}: {error}")))?;
    let connected = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    let stream = connected.map_err(|error| match rustls_error(&error) {
        Some(cause) => ends.explain(cause),
        None => ConnectError::away(format!("TLS handshake: {}", chain(&error))),
    })?;
    if stream.get_ref().1.alpn_protocol() == Some(ALPN) {
        return Ok(stream);
    }
    let observed = "a TLS server that does not offer HTTP/2 (ALPN `h2`)";
    Err(ConnectError::misfit(Setting::Address, observed, GRPC_SERVER))
}

/// What the address must belong to.
const GRPC_SERVER: &str = "a gRPC server";

/// Starts HTTP/2 on a connected stream, and waits until the server has shown that it speaks it: a server that refuses this
/// process's certificate under TLS 1.3 says so only after the handshake.
pub(super) async fn http2_handshake<S>(
    stream: S,
    authority: &str,
    ends: Option<&Ends<'_>>,
) -> Result<Sender, ConnectError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, opening) = Watched::new(stream);
    let (requests, connection) = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .keep_alive_interval(KEEP_ALIVE_INTERVAL)
        .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
        .keep_alive_while_idle(false)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(MAX_METADATA_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| ConnectError::failed(&error))?;
    let driver = tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(error = chain(&error), "grpc.connection_ended");
        }
    });
    let sender = Sender { requests, _driver: Arc::new(Driver(driver.abort_handle())) };
    match opening.await {
        Ok(Opening::Http2) => Ok(sender),
        Ok(Opening::Http1) => {
            let observed = format!("an HTTP/1.1 server at {authority}");
            Err(ConnectError::misfit(Setting::Address, observed, GRPC_SERVER))
        }
        Ok(Opening::Tls) => {
            Err(ConnectError::misfit(Setting::Tls, format!("a TLS server at {authority}"), "plain text (false)"))
        }
        Ok(Opening::Other) => {
            let observed = format!("a server at {authority} that does not speak HTTP/2");
            Err(ConnectError::misfit(Setting::Address, observed, GRPC_SERVER))
        }
        Ok(Opening::Failed(error)) => Err(match (rustls_error(&error), ends) {
            (Some(cause), Some(ends)) => ends.explain(cause),
            (_, _) => ConnectError::away(chain(&error)),
        }),
        Ok(Opening::Closed) | Err(_) => {
            Err(ConnectError::away("the server closed the connection before it answered".to_owned()))
        }
    }
}

impl Ends<'_> {
    fn explain_identity(&self, error: &IdentityError) -> ConnectError {
        if let IdentityError::NoAuthorities(domain) = error {
            let observed = format!("an identity of {} without the authorities of {domain}", self.identity.spiffe_id());
            return ConnectError::misfit(Setting::TrustDomain, observed, format!("the authorities of {domain}"));
        }
        ConnectError::no_identity(error)
    }

    /// What an error of TLS means: a setting that does not fit, or a server that cannot serve now.
    fn explain(&self, error: &rustls::Error) -> ConnectError {
        let domain = self.server_id.trust_domain();
        if let rustls::Error::InvalidCertificate(reason) = error {
            return self.explain_certificate(reason);
        }
        if let rustls::Error::AlertReceived(alert) = error
            && CERTIFICATE_ALERTS.contains(alert)
        {
            let id = self.identity.spiffe_id();
            let observed = format!("a server that refuses the certificate of {id} (TLS alert {alert:?})");
            let expected = format!("a server that accepts the certificates of trust domain {domain}");
            return ConnectError::misfit(Setting::TrustDomain, observed, expected);
        }
        if let rustls::Error::AlertReceived(AlertDescription::NoApplicationProtocol) = error {
            let observed = "a TLS server that refuses HTTP/2 (ALPN `h2`)";
            return ConnectError::misfit(Setting::Address, observed, GRPC_SERVER);
        }
        if let rustls::Error::InvalidMessage(_) = error {
            let observed = "a server that answers in plain text or another protocol";
            return ConnectError::misfit(Setting::Tls, observed, "TLS (true)");
        }
        ConnectError::away(format!("TLS handshake: {error}"))
    }

    fn explain_certificate(&self, reason: &CertificateError) -> ConnectError {
        if let CertificateError::Other(OtherError(other)) = reason
            && let Some(WrongServer { found, expected }) = other.downcast_ref()
        {
            return ConnectError::misfit(Setting::ServerId, found, expected);
        }
        if is_outside_validity(reason) {
            // No setting is wrong: the server's agent does not rotate its certificate, or a clock is wrong. It may pass.
            return ConnectError::away(format!(
                "TLS handshake: the server's certificate is outside its validity ({reason}); does its SPIFFE agent rotate it?"
            ));
        }
        let domain = self.server_id.trust_domain();
        let observed = format!("a server certificate that no authority of {domain} vouches for ({reason})");
        ConnectError::misfit(Setting::TrustDomain, observed, format!("a certificate of trust domain {domain}"))
    }
}

fn is_outside_validity(reason: &CertificateError) -> bool {
    matches!(
        reason,
        CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. }
    )
}

/// The error of TLS inside an error of its stream.
fn rustls_error(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}
