//! A SPIFFE Workload API in the process: hands out one workload's identity, and another whenever it is told to.

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

use crate::lock::lock;
use crate::spiffe_ca::{CaError, SpiffeCa, Validity, X509Svid};
use rpc::Rpc;
use socket::Listening;

/// How long a token holds unless told otherwise: five minutes, as SPIRE's.
const TOKEN_LIFE: Duration = Duration::from_mins(5);

/// The running API. Dropping it ends it and removes its unix socket.
#[derive(Debug)]
pub struct WorkloadApi {
    state: Arc<watch::Sender<State>>,
    fetched: Arc<Mutex<Fetched>>,
    listening: Listening,
    serving: JoinHandle<()>,
}

/// How often each thing was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fetched {
    /// Streams of X.509-SVIDs opened.
    pub x509_svids: u64,
    /// Streams of X.509 or JWT authorities opened.
    pub bundles: u64,
    /// JWT-SVIDs issued.
    pub jwt_svids: u64,
}

/// What a caller gets.
#[derive(Clone, Debug)]
struct State {
    svid: X509Svid,
    /// All that are believed; the last one issues.
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
    /// A socket that cannot be listened on, an id that is none, no tokio runtime to serve on.
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

    /// The value of `SPIFFE_ENDPOINT_SOCKET`, as `unix:///run/spire/sockets/agent.sock` or `tcp://127.0.0.1:4000`.
    pub fn endpoint(&self) -> &str {
        &self.listening.endpoint
    }

    /// The identity that is handed out now.
    pub fn svid(&self) -> X509Svid {
        self.state.borrow().svid.clone()
    }

    /// How often each thing was asked for so far.
    pub fn fetched(&self) -> Fetched {
        *lock(&self.fetched)
    }

    /// Hands out a new certificate and key of the same id; open streams get it at once.
    pub fn rotate(&self, validity: Validity) -> Result<X509Svid, CaError> {
        let spiffe_id = self.svid().spiffe_id;
        self.identify(&spiffe_id, validity)
    }

    /// Hands out the identity `spiffe_id`.
    pub fn identify(&self, spiffe_id: &str, validity: Validity) -> Result<X509Svid, CaError> {
        let issuer = self.state.borrow().issuer().cloned();
        let Some(issuer) = issuer else {
            return Ok(self.svid());
        };
        let svid = issuer.issue(spiffe_id, validity)?;
        self.state.send_modify(|state| state.svid = svid.clone());
        Ok(svid)
    }

    /// Hands out an identity of the same id by `ca`, which is believed beside those before it, and issues from now on.
    pub fn rotate_authority(&self, ca: Arc<SpiffeCa>, validity: Validity) -> Result<X509Svid, CaError> {
        let svid = ca.issue(&self.svid().spiffe_id, validity)?;
        self.state.send_modify(|state| {
            state.svid = svid.clone();
            state.authorities.push(ca);
        });
        Ok(svid)
    }

    /// Believes the authority that issues, and none before it.
    pub fn forget_old_authorities(&self) {
        self.state.send_modify(|state| {
            let old = state.authorities.len().saturating_sub(1);
            state.authorities.drain(..old);
        });
    }

    /// How long the tokens hold that are asked for from now on.
    pub fn set_token_life(&self, life: Duration) {
        self.state.send_modify(|state| state.token_life = life);
    }

    /// Answers every call with `code`, and ends every stream with it, until `None` is set. `PermissionDenied` is what an
    /// agent says to a workload that it does not know.
    pub fn refuse(&self, code: Option<Code>) {
        self.state.send_modify(|state| state.refusal = code);
    }
}

impl Drop for WorkloadApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
