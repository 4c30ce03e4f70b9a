//! A server's certificate that was refused, found among the causes of an error.

use std::error::Error;
use std::io;

/// Why the server's certificate was refused; `None` if `error` has another cause.
pub(crate) fn refused_certificate(error: &(dyn Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(this) = cause {
        if let Some(refused @ rustls::Error::InvalidCertificate(_)) = this.downcast_ref() {
            return Some(refused.to_string());
        }
        cause = match this.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // The source of an I/O error is the source of its cause, not the cause itself.
            Some(inner) => Some(inner),
            None => this.source(),
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use rustls::CertificateError;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connect")]
    struct Connect(#[source] io::Error);

    #[test]
    fn a_refused_certificate_is_found_below_errors_of_the_connection() {
        let refused = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let error = Connect(io::Error::new(io::ErrorKind::InvalidData, refused));
        assert_eq!(refused_certificate(&error).as_deref(), Some("invalid peer certificate: UnknownIssuer"));
    }

    #[test]
    fn another_fault_of_tls_or_of_the_connection_is_not_one() {
        let closed = Connect(io::Error::new(io::ErrorKind::InvalidData, rustls::Error::HandshakeNotComplete));
        assert_eq!(refused_certificate(&closed), None);
        assert_eq!(refused_certificate(&Connect(io::ErrorKind::ConnectionRefused.into())), None);
    }
}
