//! A SPIFFE Workload API that serves the identity of one workload and can rotate it.

mod rpc;
mod socket;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use heal_proto::workload::spiffe_workload_api_server::SpiffeWorkloadApiServer;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::Code;

pub use socket::{Socket, WorkloadError};

use crate::spiffe_ca::{CaError, SpiffeCa, Validity, X509Svid};
use crate::state::lock;
use rpc::Rpc;
use socket::Listening;

/// The default lifetime of a token, five minutes as in SPIRE.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

/// The running API. Dropping it stops it and removes its unix socket.
#[derive(Debug)]
pub struct WorkloadApi {
    state: Arc<watch::Sender<State>>,
    fetched: Arc<Mutex<Fetched>>,
    listening: Listening,
    serving: JoinHandle<()>,
}

/// Request counters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// The number of opened X.509-SVID streams.
    pub x509_svids: u64,
    /// The number of opened streams of X.509 or JWT authorities.
    pub bundles: u64,
    /// The number of issued JWT-SVIDs.
    pub jwt_svids: u64,
}

/// What callers are served.
#[derive(Clone, Debug)]
struct State {
    svid: X509Svid,
    /// All trusted authorities; the last one issues.
    authorities: Vec<Arc<SpiffeCa>>,
    token_life: Duration,
    refusal: Option<Code>,
}

impl State {
    fn issuer(&self) -> Option<&Arc<SpiffeCa>> {
        self.authorities.last()
    }
}

impl WorkloadApi {
    /// Serves the identity `spiffe_id` of `ca`, valid for an hour, on `socket`.
    ///
    /// # Errors
    /// The socket cannot be listened on, the id is not a SPIFFE id, or there is no tokio runtime.
    pub fn start(socket: &Socket, ca: Arc<SpiffeCa>, spiffe_id: &str) -> Result<Self, WorkloadError> {
        let runtime = tokio::runtime::Handle::try_current()?;
        let _context = runtime.enter();
        let svid = ca.issue(spiffe_id, Validity::default())?;
        let state = State { svid, authorities: vec![ca], token_life: TOKEN_LIFE, refusal: None };
        let state = Arc::new(watch::Sender::new(state));
        let fetched = Arc::default();
        let rpc = Rpc { state: Arc::clone(&state), fetched: Arc::clone(&fetched) };
        let router = Router::new().fallback_service(SpiffeWorkloadApiServer::new(rpc));
        let (listening, accept) = socket::listen(socket, router)?;
        Ok(Self { state, fetched, listening, serving: runtime.spawn(accept) })
    }

    /// The value for `SPIFFE_ENDPOINT_SOCKET`, such as `unix:///run/spire/sockets/agent.sock` or `tcp://127.0.0.1:4000`.
    pub fn endpoint(&self) -> &str {
        &self.listening.endpoint
    }

    /// The current identity.
    pub fn svid(&self) -> X509Svid {
        self.state.borrow().svid.clone()
    }

    /// The request counters so far.
    pub fn fetched(&self) -> Fetched {
        *lock(&self.fetched)
    }

    /// Issues a new certificate and key for the same id; open streams receive it at once.
    pub fn rotate(&self, validity: Validity) -> Result<X509Svid, CaError> {
        let spiffe_id = self.svid().spiffe_id;
        self.identify(&spiffe_id, validity)
    }

    /// Serves the identity `spiffe_id` from now on.
    pub fn identify(&self, spiffe_id: &str, validity: Validity) -> Result<X509Svid, CaError> {
        let issuer = self.state.borrow().issuer().cloned();
        let Some(issuer) = issuer else {
            return Ok(self.svid());
        };
        let svid = issuer.issue(spiffe_id, validity)?;
        self.state.send_modify(|state| state.svid = svid.clone());
        Ok(svid)
    }

    /// Makes `ca` the issuer, trusted beside the earlier authorities, and issues a new identity for the same id.
    pub fn rotate_authority(&self, ca: Arc<SpiffeCa>, validity: Validity) -> Result<X509Svid, CaError> {
        let svid = ca.issue(&self.svid().spiffe_id, validity)?;
        self.state.send_modify(|state| {
            state.svid = svid.clone();
            state.authorities.push(ca);
        });
        Ok(svid)
    }

    /// Trusts only the issuing authority.
    pub fn forget_old_authorities(&self) {
        self.state.send_modify(|state| {
            let old = state.authorities.len().saturating_sub(1);
            state.authorities.drain(..old);
        });
    }

    /// Sets the lifetime of tokens issued from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.state.send_modify(|state| state.token_life = life);
    }

    /// Fails every call and every open stream with `code` until `None` is set. An agent answers `PermissionDenied` to a
    /// workload that it does not know.
    pub fn refuse(&self, code: Option<Code>) {
        self.state.send_modify(|state| state.refusal = code);
    }
}

impl Drop for WorkloadApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
