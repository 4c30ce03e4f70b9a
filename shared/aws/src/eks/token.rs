//! Authentication tokens for a cluster.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use heal_runtime::port::Clock;
use tokio::sync::Mutex;

use super::ClusterName;
use crate::error::Error;
use crate::limit::{PRESIGNED_LIFE, TOKEN_LIFE};
use crate::session::{Service, Session};
use crate::sign::{self, Scope};

/// The prefix that the cluster's authenticator expects.
const PREFIX: &str = "k8s-aws-v1.";

/// The signed header that binds a token to one cluster.
const CLUSTER_HEADER: &str = "x-k8s-aws-id";

/// A token, for the `authorization` header after `Bearer `.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The token; secret.
    pub secret: String,
    /// When to replace it. The cluster accepts it for some minutes more.
    pub expires_at: SystemTime,
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// A cache of the current token for one cluster.
pub struct Tokens {
    session: Session,
    cluster: ClusterName,
    clock: Arc<dyn Clock>,
    current: Mutex<Option<Token>>,
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("cluster", &self.cluster).finish_non_exhaustive()
    }
}

impl Tokens {
    /// A cache without a token; makes no call.
    pub fn new(session: &Session, cluster: ClusterName, clock: Arc<dyn Clock>) -> Self {
        Self { session: session.clone(), cluster, clock, current: Mutex::new(None) }
    }

    /// The current token. Signs a new one after [`TOKEN_LIFE`] or when its credentials expire; concurrent callers share one signing.
    ///
    /// # Errors
    /// [`Error::NoCredentials`], or [`Error::Invalid`]: the configured endpoint is not a URL.
    pub async fn token(&self) -> Result<Token, Error> {
        let mut current = self.current.lock().await;
        let now = UNIX_EPOCH + Duration::from_millis(self.clock.now().0);
        if let Some(token) = current.as_ref().filter(|token| now < token.expires_at) {
            return Ok(token.clone());
        }
        let token = self.sign(now).await?;
        *current = Some(token.clone());
        Ok(token)
    }

    /// Signs a `GetCallerIdentity` request and encodes it as a token.
    async fn sign(&self, at: SystemTime) -> Result<Token, Error> {
        let mut url = self.session.endpoint(Service::Sts)?;
        url.set_query(Some("Action=GetCallerIdentity&Version=2011-06-15"));
        let request = http::Request::get(url.as_str()).header(CLUSTER_HEADER, self.cluster.as_str()).body(());
        let unusable = |error: http::Error| Error::Unusable { what: "token".to_owned(), problem: error.to_string() };
        let mut request = request.map_err(unusable)?;
        let credentials = self.session.credentials().await?;
        let end = at + TOKEN_LIFE;
        let expires_at = credentials.expiry().map_or(end, |expiry| end.min(expiry));
        let scope = Scope { credentials, region: self.session.region(), service: Service::Sts.prefix(), at };
        sign::query(&mut request, scope, PRESIGNED_LIFE)?;
        let secret = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(request.uri().to_string()));
        Ok(Token { secret, expires_at })
    }
}
