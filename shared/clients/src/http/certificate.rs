//! A server's certificate that was refused, found among the causes of an error.

use std::error::Error;

use crate::own;

/// Why the server's certificate was refused; `None` if `error` has another cause.
pub(crate) fn refused_certificate(error: &(dyn Error + 'static)) -> Option<String> {
    let refused = own::causes(error).filter_map(|cause| cause.downcast_ref::<rustls::Error>());
    refused.filter(|error| matches!(error, rustls::Error::InvalidCertificate(_))).map(ToString::to_string).next()
}

#[cfg(test)]
mod tests {
    use std::io;

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
