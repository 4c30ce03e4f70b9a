//! Why the doors cannot be set up.

use std::net::SocketAddr;
use std::path::PathBuf;

use heal_runtime::port::BackendError;

/// A fault of the configuration, found before the first request.
#[derive(Debug, thiserror::Error)]
pub enum DoorsError {
    /// Everybody on the network could do everything.
    #[error(
        "refused to serve the HTTP API on {address} without identities: everybody who reaches it could act. Listen on 127.0.0.1, or name a \
         file with `tokens` or `oidc` by --api (docs/access.md)"
    )]
    Open {
        /// Where the API was to be served.
        address: SocketAddr,
    },
    /// The file of tokens cannot be read or understood.
    #[error("cannot use the file of API tokens {}: {detail}", path.display())]
    Tokens {
        /// The file.
        path: PathBuf,
        /// What is wrong, and what to do.
        detail: String,
    },
    /// The client of the issuer cannot be made.
    #[error("cannot make the HTTP client for the OIDC issuer")]
    Client(#[source] heal_http::TlsError),
    /// There are no random numbers.
    #[error("cannot make the key that seals sessions")]
    Random(#[source] BackendError),
    /// Each process of the function would sign people out whom another one has signed in.
    #[error(
        "people can sign in to the HTTP API, and its processes share no key for their sessions: set HEAL_SESSION_KEY to a secret of at least \
         32 bytes (docs/access.md)"
    )]
    NoSessionKey,
    /// The shared key can be guessed.
    #[error("HEAL_SESSION_KEY has {observed_bytes} bytes, at least 32 are needed")]
    ShortSessionKey {
        /// Its length.
        observed_bytes: usize,
    },
    /// A key has a wrong length, which is a fault of this program.
    #[error("the library of cryptography refuses the key that seals sessions")]
    Key,
}
