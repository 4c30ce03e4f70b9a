//! The gRPC service of the Workload API.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use futures_util::stream::{self, Stream};
use heal_proto::workload as proto;
use proto::spiffe_workload_api_server::SpiffeWorkloadApi;
use serde_json::json;
use tokio::sync::watch;
use tonic::{Request, Response, Status};

use super::{Fetched, State};
use crate::spiffe_ca::Validity;
use crate::state::lock;

/// The header that the SPIFFE standard requires, so that a browser or a tricked server cannot call.
const SECURITY_HEADER: &str = "workload.spiffe.io";

pub(super) struct Rpc {
    pub(super) state: Arc<watch::Sender<State>>,
    pub(super) fetched: Arc<Mutex<Fetched>>,
}

type Updates<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

impl Rpc {
    fn allowed<T>(&self, request: &Request<T>) -> Result<State, Status> {
        if request.metadata().get(SECURITY_HEADER).is_none_or(|value| value != "true") {
            return Err(Status::invalid_argument("security header missing from request"));
        }
        let state = self.state.borrow().clone();
        refused(&state)?;
        Ok(state)
    }

    /// A stream of `answer(state)`, now and after every change, which ends when calls are refused.
    fn updates<T>(&self, answer: fn(&State) -> T) -> Updates<T>
    where
        T: Send + 'static,
    {
        let mut changes = self.state.subscribe();
        changes.mark_changed();
        Box::pin(stream::unfold(Some(changes), move |changes| async move {
            let mut changes = changes?;
            changes.changed().await.ok()?;
            let state = changes.borrow_and_update().clone();
            match refused(&state) {
                Ok(()) => Some((Ok(answer(&state)), Some(changes))),
                Err(status) => Some((Err(status), None)),
            }
        }))
    }
}

fn refused(state: &State) -> Result<(), Status> {
    match state.refusal {
        Some(code) => Err(Status::new(code, "no identity issued")),
        None => Ok(()),
    }
}

/// The id of the trust domain, and its concatenated authorities.
fn bundle(state: &State) -> (String, Vec<u8>) {
    let domain = state.issuer().map_or("", |issuer| issuer.trust_domain());
    let mut authorities = Vec::new();
    for authority in &state.authorities {
        authorities.extend_from_slice(authority.trust_bundle_der());
    }
    (format!("spiffe://{domain}"), authorities)
}

fn x509_svids(state: &State) -> proto::X509svidResponse {
    let svid = proto::X509svid {
        spiffe_id: state.svid.spiffe_id.clone(),
        x509_svid: state.svid.certificate_der.clone(),
        x509_svid_key: state.svid.private_key_der.clone(),
        bundle: bundle(state).1,
        hint: String::new(),
    };
    proto::X509svidResponse { svids: vec![svid], ..Default::default() }
}

fn x509_bundles(state: &State) -> proto::X509BundlesResponse {
    let (domain, authorities) = bundle(state);
    proto::X509BundlesResponse { bundles: BTreeMap::from([(domain, authorities)]), ..Default::default() }
}

fn jwt_bundles(state: &State) -> proto::JwtBundlesResponse {
    let keys: Vec<_> = state.authorities.iter().map(|authority| authority.token_key()).collect();
    let set = json!({"keys": keys}).to_string().into_bytes();
    proto::JwtBundlesResponse { bundles: BTreeMap::from([(bundle(state).0, set)]) }
}

#[async_trait]
impl SpiffeWorkloadApi for Rpc {
    type FetchX509SVIDStream = Updates<proto::X509svidResponse>;
    type FetchX509BundlesStream = Updates<proto::X509BundlesResponse>;
    type FetchJWTBundlesStream = Updates<proto::JwtBundlesResponse>;

    async fn fetch_x509svid(
        &self,
        request: Request<proto::X509svidRequest>,
    ) -> Result<Response<Self::FetchX509SVIDStream>, Status> {
        self.allowed(&request)?;
        lock(&self.fetched).x509_svids += 1;
        Ok(Response::new(self.updates(x509_svids)))
    }

    async fn fetch_x509_bundles(
        &self,
        request: Request<proto::X509BundlesRequest>,
    ) -> Result<Response<Self::FetchX509BundlesStream>, Status> {
        self.allowed(&request)?;
        lock(&self.fetched).bundles += 1;
        Ok(Response::new(self.updates(x509_bundles)))
    }

    async fn fetch_jwtsvid(
        &self,
        request: Request<proto::JwtsvidRequest>,
    ) -> Result<Response<proto::JwtsvidResponse>, Status> {
        let state = self.allowed(&request)?;
        let wanted = request.into_inner();
        let spiffe_id = state.svid.spiffe_id.clone();
        if wanted.audience.is_empty() {
            return Err(Status::invalid_argument("audience: empty"));
        }
        if !wanted.spiffe_id.is_empty() && wanted.spiffe_id != spiffe_id {
            return Err(Status::permission_denied("no identity issued"));
        }
        let audience: Vec<&str> = wanted.audience.iter().map(String::as_str).collect();
        let issuer = state.issuer().ok_or_else(|| Status::unavailable("no authority"))?;
        let svid = issuer
            .issue_token(&spiffe_id, &audience, Validity::lasting(state.token_life))
            .map_err(|error| Status::internal(error.to_string()))?;
        lock(&self.fetched).jwt_svids += 1;
        let svid = proto::Jwtsvid { spiffe_id, svid, hint: String::new() };
        Ok(Response::new(proto::JwtsvidResponse { svids: vec![svid] }))
    }

    async fn fetch_jwt_bundles(
        &self,
        request: Request<proto::JwtBundlesRequest>,
    ) -> Result<Response<Self::FetchJWTBundlesStream>, Status> {
        self.allowed(&request)?;
        lock(&self.fetched).bundles += 1;
        Ok(Response::new(self.updates(jwt_bundles)))
    }
}
