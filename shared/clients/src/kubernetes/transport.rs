//! The HTTP stack under the Kubernetes library: timeouts, `TCP_NODELAY`, tokens, and nothing that repeats or follows.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use kube::client::{Body, ConfigExt};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::BuilderVerifierExt;
use tower::{BoxError, Service, ServiceBuilder};

use super::access::{Authorities, BearerToken, EksAccess, Place, TokenProvider};
use crate::error::{Error, chain};
use crate::http::CONNECT_TIMEOUT;
use crate::identity::crypto;

/// How long an unused connection is kept. Short, because a frozen Lambda sandbox wakes up with dead ones.
const POOL_IDLE: Duration = Duration::from_secs(15);

/// A token is not used in the last part of its life: the call that carries it takes time too.
const TOKEN_MARGIN: Duration = Duration::from_secs(30);

/// The library's client over our stack.
pub(super) fn client(place: &Place, eks: Option<&EksAccess>) -> Result<kube::Client, Error> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT_TIMEOUT));
    let https = secured(place, http)?;
    let client = legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(POOL_IDLE)
        .retry_canceled_requests(false)
        .build::<_, Body>(https);
    let transport = Transport { client, tokens: eks.map(|eks| Arc::new(Tokens::new(Arc::clone(&eks.tokens)))) };
    let config = &place.config;
    let service = ServiceBuilder::new().layer(config.base_uri_layer());
    // A file or a pod's account may say who calls, and with which further headers; a URL or a cluster of EKS does not.
    #[cfg(feature = "host")]
    let service =
        service.option_layer(config.auth_layer().map_err(fault)?).layer(config.extra_headers_layer().map_err(fault)?);
    Ok(kube::Client::new(service.service(transport), config.default_namespace.clone()))
}

/// TLS over `http`, towards a server that the place's authorities vouch for.
fn secured(place: &Place, http: HttpConnector) -> Result<HttpsConnector<HttpConnector>, Error> {
    let builder = || ClientConfig::builder_with_provider(crypto()).with_safe_default_protocol_versions();
    let tls = match &place.authorities {
        Authorities::None => builder().map(|builder| builder.with_root_certificates(RootCertStore::empty())),
        Authorities::Machine => builder().and_then(BuilderVerifierExt::with_platform_verifier),
        Authorities::Given(certificates) => {
            let mut roots = RootCertStore::empty();
            let added = certificates.iter().try_for_each(|authority| roots.add(authority.clone()));
            added.and_then(|()| Ok(builder()?.with_root_certificates(roots)))
        }
        #[cfg(feature = "host")]
        Authorities::OfConfig => return place.config.rustls_https_connector_with_connector(http).map_err(fault),
    };
    let tls = tls.map_err(|error| Error::Invalid { field: "kubernetes client", problem: chain(&error) })?;
    Ok(HttpsConnector::from((http, Arc::new(tls.with_no_client_auth()))))
}

#[cfg(feature = "host")]
#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn fault(error: kube::Error) -> Error {
    Error::Invalid { field: "kubernetes client", problem: chain(&error) }
}

/// The innermost service: adds a token where tokens are needed, and sends.
#[derive(Clone)]
struct Transport<C> {
    client: legacy::Client<C, Body>,
    tokens: Option<Arc<Tokens>>,
}

type Sending = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

impl<C> Service<Request<Body>> for Transport<C>
where
    C: legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = Sending;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> Sending {
        let this = self.clone();
        Box::pin(async move {
            if let Some(tokens) = &this.tokens {
                let mut value = HeaderValue::from_str(&format!("Bearer {}", tokens.current().await?))?;
                value.set_sensitive(true);
                request.headers_mut().insert(header::AUTHORIZATION, value);
            }
            Ok(this.client.request(request).await?)
        })
    }
}

/// The token in use.
#[derive(Debug)]
struct Tokens {
    provider: Arc<dyn TokenProvider>,
    current: Mutex<Option<BearerToken>>,
}

/// No token: nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct NoToken(String);

impl Tokens {
    fn new(provider: Arc<dyn TokenProvider>) -> Self {
        Self { provider, current: Mutex::new(None) }
    }

    async fn current(&self) -> Result<String, NoToken> {
        let usable = |token: &BearerToken| SystemTime::now() + TOKEN_MARGIN < token.expires_at;
        let known = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(usable);
        if let Some(token) = known {
            return Ok(token.secret);
        }
        let token = self.provider.token().await.map_err(|fault| NoToken(fault.to_string()))?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token.secret)
    }
}
