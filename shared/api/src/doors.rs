//! The doors of the HTTP API: who calls, what that caller may do, and how often.
//!
//! [`Doors::guard`] puts them before a router. A request passes them in this order: its `Host` (`browser`), the rate of its peer (`rate`),
//! where a browser sends it from and the type of its body (`browser`), its caller (`identify`), the rate of that caller, and the role that
//! its route needs (`roles`). What is refused is counted and logged (`refusal`).
//!
//! The bounds of connections are the server's: [`crate::server`].

pub mod access;
mod browser;
mod error;
pub mod iam;
mod identify;
mod next;
pub mod oidc;
pub mod rate;
mod refusal;
mod roles;
mod session;
mod sign_in;
pub mod token;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use heal_engine::state::approval::ANONYMOUS;
use heal_runtime::port::{Clock, Entropy};
use heal_telemetry::metrics::Metrics;

use crate::caller::{Caller, Role};
use access::Access;
use browser::Browser;
use oidc::Issuer;
use rate::Rates;
use refusal::Refusal;
use roles::Need;
use session::Sealer;
use token::TokenFile;

pub use error::DoorsError;
pub(crate) use rate::network;
pub use refusal::{REASONS, Reason, Refusals};
pub use roles::ROUTES;

/// The address that a connection comes from; the server puts it into each request's extensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer(pub IpAddr);

/// The name by which a request has reached API Gateway, in lower case: the gateway attests it, and chooses the API by it.
#[derive(Debug, Clone)]
pub(crate) struct GatewayName(pub String);

/// An identity that API Gateway has attested and that has no role.
#[derive(Debug, Clone)]
pub(crate) struct Roleless(pub String);

/// What the doors need of the program around them.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "ports are behaviour, there is nothing to print")]
pub struct Parts {
    /// Decides whether a token is still valid.
    pub clock: Arc<dyn Clock>,
    /// Makes the key that seals sessions.
    pub entropy: Arc<dyn Entropy>,
    /// Counts what is refused.
    pub metrics: Metrics,
}

/// The doors before one router.
#[expect(missing_debug_implementations, reason = "it holds keys and ports; nothing of it should be printed")]
pub struct Doors {
    tokens: Option<TokenFile>,
    issuer: Option<Issuer>,
    browser: Browser,
    rates: Rates,
    sealer: Sealer,
    clock: Arc<dyn Clock>,
    refusals: Arc<Refusals>,
    /// No identity is configured: everybody who reaches this address may do everything, and is nobody in particular.
    is_trial: bool,
}

impl Doors {
    /// The doors of a server at `address`.
    ///
    /// # Errors
    /// No identity is configured and `address` can be reached from other machines; or the file of tokens cannot be used.
    pub fn new(access: Access, address: SocketAddr, parts: Parts) -> Result<Self, DoorsError> {
        let is_trial = access.tokens.is_none() && access.oidc.is_none();
        if is_trial && !address.ip().is_loopback() {
            return Err(DoorsError::Open { address });
        }
        let sealer = Sealer::new(&*parts.entropy)?;
        let doors = Self::build(access, Some(address), sealer, parts)?;
        Ok(Self { is_trial, ..doors })
    }

    /// The doors of a function behind API Gateway, whose processes share sessions by `session_key`. Callers whom the gateway attests have
    /// their roles from [`GatewayRoles`](crate::GatewayRoles); all others identify themselves, and it is never a trial.
    ///
    /// # Errors
    /// People can sign in and there is no key, or it is short.
    pub fn behind_gateway(access: Access, session_key: Option<&str>, parts: Parts) -> Result<Self, DoorsError> {
        let people_sign_in = access.tokens.is_some() || access.oidc.as_ref().is_some_and(|oidc| oidc.client.is_some());
        let sealer = match session_key {
            Some(key) => Sealer::shared(key)?,
            None if people_sign_in => return Err(DoorsError::NoSessionKey),
            None => Sealer::new(&*parts.entropy)?,
        };
        Self::build(access, None, sealer, parts)
    }

    fn build(access: Access, address: Option<SocketAddr>, sealer: Sealer, parts: Parts) -> Result<Self, DoorsError> {
        let tokens = access.tokens.map(TokenFile::open).transpose()?;
        let issuer = access.oidc.map(|oidc| Issuer::new(oidc, Arc::clone(&parts.clock))).transpose()?;
        Ok(Self {
            tokens,
            issuer,
            browser: Browser::new(access.hosts, access.public_url, address),
            rates: Rates::new(access.rate),
            sealer,
            refusals: Arc::new(Refusals::new(parts.metrics, Arc::clone(&parts.clock))),
            clock: parts.clock,
            is_trial: false,
        })
    }

    /// Whether no identity is configured, which is for a trial on one machine only.
    pub const fn is_trial(&self) -> bool {
        self.is_trial
    }

    /// Counts and logs what is refused here and by the server.
    pub fn refusals(&self) -> Arc<Refusals> {
        Arc::clone(&self.refusals)
    }

    /// `router` behind these doors, with the pages to sign in and out.
    pub fn guard(self: &Arc<Self>, router: Router) -> Router {
        router
            .merge(sign_in::routes().with_state(Arc::clone(self)))
            .layer(middleware::from_fn_with_state(Arc::clone(self), enter))
    }

    async fn admit(&self, request: &mut Request) -> Result<(), Refusal> {
        let path = request.extensions().get::<MatchedPath>().map(|path| path.as_str().to_owned());
        let need = roles::need(request.method(), path.as_deref());
        // A probe by a load balancer names whatever host it likes, and learns nothing.
        if path.as_deref() != Some("/health") {
            self.browser.check_host(request)?;
        }
        let peer = request.extensions().get::<Peer>().copied();
        self.rates.check_peer(peer)?;
        Browser::check_change(request, path.as_deref())?;
        let caller = self.caller(request, need).await?;
        if let Some(caller) = &caller {
            self.rates.check_identity(&caller.identity)?;
        }
        let is_attested = request.extensions().get::<Roleless>().is_some();
        if need != Need::Known || !is_attested {
            roles::check(need, caller.as_ref())?;
        }
        if let Some(caller) = caller {
            request.extensions_mut().insert(caller);
        }
        Ok(())
    }

    /// The caller: as a gateway before this process attests, or else as the request identifies itself.
    async fn caller(&self, request: &mut Request, need: Need) -> Result<Option<Caller>, Refusal> {
        if let Some(caller) = request.extensions_mut().remove::<Caller>() {
            return Ok(Some(caller));
        }
        let (headers, path) = (request.headers(), request.uri().path());
        match (need, request.extensions().get::<Roleless>()) {
            (Need::Anyone | Need::Known | Need::Handler, Some(_)) => Ok(None),
            (Need::Role(_) | Need::Nobody, Some(Roleless(identity))) => {
                let message =
                    format!("{identity} has no role here; an admin can give it one in the API's file of identities");
                Err(Refusal::new(Reason::Role, message))
            }
            (Need::Anyone, None) => self.identify(headers, false, path).await,
            // Its sender may have credentials of another kind besides its signature.
            (Need::Handler, None) => Ok(self.identify(headers, true, path).await.unwrap_or_default()),
            (Need::Known | Need::Role(_) | Need::Nobody, None) => self.identify(headers, true, path).await,
        }
    }

    /// Whom a request without credentials comes from, if that is anybody.
    fn trial_caller(&self) -> Option<Caller> {
        self.is_trial.then(|| Caller { identity: ANONYMOUS.to_owned(), role: Role::Admin })
    }
}

async fn enter(State(doors): State<Arc<Doors>>, mut request: Request, next: Next) -> Response {
    let wants_page = browser::wants_page(&request);
    let mut response = match doors.admit(&mut request).await {
        Ok(()) => next.run(request).await,
        Err(refusal) => {
            doors.refusals.note(refusal.reason, &refusal.message);
            // A person's session has ended, or has not begun.
            let signs_in = wants_page && refusal.reason == Reason::NoIdentity;
            if signs_in { next::way_in(&request) } else { refusal.into_response() }
        }
    };
    browser::harden(response.headers_mut());
    response
}
