//! The HTTP stack under the Kubernetes library: that of every client, and tokens; no retries, no redirects.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, SystemTime};

use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use kube::client::{Body, ConfigExt};
use tower::{BoxError, Service, ServiceBuilder};

use super::access::{BearerToken, EksAccess, TokenProvider};
use crate::connect::{self, CONNECT_TIMEOUT};
use crate::error::{Error, chain};

/// A token this close to its expiry is not used: it would expire during the call.
const TOKEN_EXPIRY_MARGIN: Duration = Duration::from_secs(30);

/// The Kubernetes library's client over this stack.
pub(super) fn client(config: &kube::Config, eks: Option<&EksAccess>) -> Result<kube::Client, Error> {
    let connector = connect::connector(config, CONNECT_TIMEOUT).map_err(invalid_config)?;
    let client = connect::client().retry_canceled_requests(false).build::<_, Body>(connector);
    let transport = Transport { client, tokens: eks.map(|eks| Arc::new(TokenCache::new(Arc::clone(&eks.tokens)))) };
    let service = ServiceBuilder::new().layer(config.base_uri_layer());
    // A kubeconfig and a service account bring credentials and extra headers; a URL and EKS do not.
    #[cfg(feature = "host")]
    let service = service
        .option_layer(config.auth_layer().map_err(invalid_config)?)
        .layer(config.extra_headers_layer().map_err(invalid_config)?);
    Ok(kube::Client::new(service.service(transport), config.default_namespace.clone()))
}

#[expect(clippy::needless_pass_by_value, reason = "the signature that `map_err` needs")]
fn invalid_config(error: kube::Error) -> Error {
    Error::Invalid { field: "kubernetes client", problem: chain(&error) }
}

/// The innermost service: adds the token of an EKS cluster and sends the request.
#[derive(Clone)]
struct Transport<C> {
    client: legacy::Client<C, Body>,
    tokens: Option<Arc<TokenCache>>,
}

type ResponseFuture = Pin<Box<dyn Future<Output = Result<Response<Incoming>, BoxError>> + Send>>;

impl<C> Service<Request<Body>> for Transport<C>
where
    C: legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    type Response = Response<Incoming>;
    type Error = BoxError;
    type Future = ResponseFuture;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<Body>) -> ResponseFuture {
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

/// The latest token, used until shortly before its expiry.
#[derive(Debug)]
struct TokenCache {
    provider: Arc<dyn TokenProvider>,
    current: Mutex<Option<BearerToken>>,
}

/// No token could be issued, so nothing was sent.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct TokenUnavailable(String);

impl TokenCache {
    fn new(provider: Arc<dyn TokenProvider>) -> Self {
        Self { provider, current: Mutex::new(None) }
    }

    async fn current(&self) -> Result<String, TokenUnavailable> {
        let usable = |token: &BearerToken| SystemTime::now() + TOKEN_EXPIRY_MARGIN < token.expires_at;
        let cached = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone().filter(usable);
        if let Some(token) = cached {
            return Ok(token.secret);
        }
        let token = self.provider.token().await.map_err(|error| TokenUnavailable(error.to_string()))?;
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Some(token.clone());
        Ok(token.secret)
    }
}
