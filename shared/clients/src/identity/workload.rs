//! An identity from the SPIFFE Workload API of this node's agent.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use spiffe::transport::Endpoint;
use spiffe::x509_source::X509SourceState;
use spiffe::{WorkloadApiClient, X509Source};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::Instant;

use super::jwt::JwtSvid;
use super::material::{IdentityError, X509Identity};
use super::source::IdentityProvider;
use crate::error::chain;

/// Timeout of opening the identity stream, first response included.
const STREAM_TIMEOUT: Duration = Duration::from_secs(2);

/// Timeout of fetching a token. The call goes on without one; a server that requires it rejects the call.
const TOKEN_TIMEOUT: Duration = Duration::from_secs(1);

/// After a failed fetch of a token the agent is not asked again for this long.
const TOKEN_BACKOFF: Duration = Duration::from_secs(30);

/// The Workload API. The agent streams identities, so a rotation takes effect at once.
pub struct WorkloadApi {
    socket: String,
    source: tokio::sync::Mutex<Option<X509Source>>,
    /// The latest identity and the stream revision that it was made from.
    current: Mutex<Option<(u64, Arc<X509Identity>)>>,
    tokens: Mutex<TokenCache>,
}

#[derive(Default)]
struct TokenCache {
    by_audience: BTreeMap<String, JwtSvid>,
    /// No token is fetched before this time.
    retry_at: Option<Instant>,
}

impl fmt::Debug for WorkloadApi {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadApi").field("socket", &self.socket).finish_non_exhaustive()
    }
}

impl WorkloadApi {
    /// A source at `socket`, `unix:///path` or `tcp://ip:port`. Connects at the first use.
    pub fn new(socket: &str) -> Self {
        Self {
            socket: socket.to_owned(),
            source: tokio::sync::Mutex::default(),
            current: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    fn unavailable(&self, problem: impl fmt::Display) -> IdentityError {
        IdentityError::unavailable(format!("the SPIFFE Workload API at {}", self.socket), problem)
    }

    /// Whether anybody listens at the socket. The Workload API's own client does not tell an agent that is away from one that has
    /// no identity for this process.
    async fn reach(&self) -> Result<(), IdentityError> {
        let connect = async {
            let endpoint: Endpoint = self.socket.parse().map_err(std::io::Error::other)?;
            if let Endpoint::Unix(path) = &endpoint {
                UnixStream::connect(path).await?;
            }
            if let Endpoint::Tcp { host, port } = endpoint {
                TcpStream::connect((host, port)).await?;
            }
            Ok::<(), std::io::Error>(())
        };
        let problem = match tokio::time::timeout(STREAM_TIMEOUT, connect).await {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => chain(&error),
            Err(_) => format!("no connection within {} ms", STREAM_TIMEOUT.as_millis()),
        };
        Err(IdentityError::AgentAway { socket: self.socket.clone(), problem })
    }

    /// The state of the identity stream. Opens the stream if it is not open; concurrent callers wait for the one that opens it.
    async fn state(&self) -> Result<X509SourceState, IdentityError> {
        let mut source = self.source.lock().await;
        if let Some(state) = source.as_ref().map(X509Source::state).filter(|state| !state.is_closed()) {
            return Ok(state);
        }
        self.reach().await?;
        let open = X509Source::builder().endpoint(&self.socket).initial_sync_timeout(STREAM_TIMEOUT).build();
        let Ok(opened) = tokio::time::timeout(STREAM_TIMEOUT, open).await else {
            let problem = format!("no response within {} ms", STREAM_TIMEOUT.as_millis());
            return Err(self.unavailable(unregistered(&problem)));
        };
        let opened = opened.map_err(|error| self.unavailable(unregistered(&chain(&error))))?;
        let state = opened.state();
        *source = Some(opened);
        // The revisions of a new stream start over.
        *self.current() = None;
        Ok(state)
    }

    async fn fetch_token(&self, audience: &str) -> Result<JwtSvid, IdentityError> {
        let fetch = async {
            let client = WorkloadApiClient::connect_to(&self.socket).await.map_err(|error| chain(&error))?;
            let svid = client.fetch_jwt_svid([audience], None).await.map_err(|error| chain(&error))?;
            Ok::<_, String>(JwtSvid::from_spiffe(&svid))
        };
        match tokio::time::timeout(TOKEN_TIMEOUT, fetch).await {
            Ok(token) => token.map_err(|problem| self.unavailable(problem)),
            Err(_) => Err(self.unavailable(format!("no token within {} ms", TOKEN_TIMEOUT.as_millis()))),
        }
    }

    fn current(&self) -> MutexGuard<'_, Option<(u64, Arc<X509Identity>)>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tokens(&self) -> MutexGuard<'_, TokenCache> {
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn unregistered(problem: &str) -> String {
    format!("{problem}; is this process registered with the agent?")
}

#[async_trait]
impl IdentityProvider for WorkloadApi {
    async fn x509(&self) -> Result<Arc<X509Identity>, IdentityError> {
        let state = self.state().await?;
        let svid = state.svid().map_err(|error| self.unavailable(chain(&error)))?;
        let mut current = self.current();
        if let Some((revision, identity)) = current.as_ref()
            && *revision == state.revision()
        {
            identity.check_not_expired(SystemTime::now())?;
            return Ok(Arc::clone(identity));
        }
        let context = state.context().map_err(|error| self.unavailable(chain(&error)))?;
        let der = |certificate: &spiffe::cert::Certificate| CertificateDer::from(certificate.as_bytes().to_vec());
        let authorities = context
            .bundle_set()
            .iter()
            .map(|(domain, bundle)| (domain.to_string(), bundle.authorities().iter().map(der).collect()))
            .collect();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(svid.private_key().as_bytes().to_vec()));
        let chain = svid.cert_chain().iter().map(der).collect();
        let identity = Arc::new(X509Identity::new(&self.socket, chain, key, authorities)?);
        tracing::info!(spiffe_id = identity.spiffe_id(), "identity.loaded");
        *current = Some((state.revision(), Arc::clone(&identity)));
        Ok(identity)
    }

    async fn jwt(&self, audience: &str) -> Option<JwtSvid> {
        let now = SystemTime::now();
        {
            let tokens = self.tokens();
            if let Some(token) = tokens.by_audience.get(audience).filter(|token| token.is_usable(now)) {
                return Some(token.clone());
            }
            if tokens.retry_at.is_some_and(|instant| Instant::now() < instant) {
                return None;
            }
        }
        match self.fetch_token(audience).await {
            Ok(token) => {
                let mut tokens = self.tokens();
                tokens.retry_at = None;
                tokens.by_audience.insert(audience.to_owned(), token.clone());
                Some(token)
            }
            Err(error) => {
                tracing::info!(%error, "identity.no_token");
                self.tokens().retry_at = Some(Instant::now() + TOKEN_BACKOFF);
                None
            }
        }
    }
}
