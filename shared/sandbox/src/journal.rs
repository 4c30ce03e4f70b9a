//! The journal: every call in order of arrival, with its request, its response status and whether it had an effect.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::service::Service;
use crate::state::lock;
use crate::wire::now_ms;

/// The number of calls kept; beyond it the oldest is dropped.
pub const CALLS_KEPT: usize = 100_000;
/// The length to which a request body is cut, in bytes.
pub const BODY_KEPT_BYTES: usize = 16 * 1024;

/// One call of a service: request and outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The sequence number over all services, from 1.
    pub seq: u64,
    /// Arrival, in epoch milliseconds.
    pub at_ms: i64,
    /// The called service.
    pub service: Service,
    /// One of [`Service::operations`], `unknown`, or `connect` or `handshake` for a connection that failed there.
    pub operation: String,
    /// The id of the ticket, workflow or plan, `namespace/pod`, or the path of the document; percent-decoded.
    pub target: String,
    /// Path and query as sent.
    pub path: String,
    /// The `Idempotency-Key` header, or the `adjustment_id` of the orchestrator.
    pub key: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The SPIFFE id in the client's certificate.
    pub spiffe_id: Option<String>,
    /// The request body, cut to [`BODY_KEPT_BYTES`]; a protobuf message is shown as JSON.
    pub body: String,
    /// The response status; `None` if no response was sent (yet).
    pub status: Option<Status>,
    /// The injected fault that applied to the call.
    pub fault: Option<String>,
    /// Whether the call changed state. A replayed response or a change without an effect (pausing a paused workflow)
    /// did not.
    pub effect: bool,
    /// Whether the response is that of an earlier call with the same key.
    pub replayed: bool,
}

/// The status of a response.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Status {
    /// An HTTP status code.
    Http(u16),
    /// The name of a gRPC code, such as `FAILED_PRECONDITION`.
    Grpc(String),
}

impl PartialEq<u16> for Status {
    fn eq(&self, code: &u16) -> bool {
        matches!(self, Self::Http(own) if own == code)
    }
}

impl PartialEq<&str> for Status {
    fn eq(&self, name: &&str) -> bool {
        matches!(self, Self::Grpc(own) if own == name)
    }
}

/// A call as read from its request, before it is performed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub(crate) operation: &'static str,
    pub(crate) target: String,
    pub(crate) key: Option<String>,
    /// The body to record instead of the raw one.
    pub(crate) body: Option<String>,
}

/// The calls of all services.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    calls: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    calls: VecDeque<Call>,
    last_seq: u64,
}

impl Journal {
    /// Records `call` under the next sequence number.
    pub(crate) fn open(self: &Arc<Self>, mut call: Call) -> Entry {
        let mut kept = lock(&self.calls);
        kept.last_seq += 1;
        call.seq = kept.last_seq;
        call.at_ms = now_ms();
        if kept.calls.len() >= CALLS_KEPT {
            kept.calls.pop_front();
        }
        let seq = call.seq;
        kept.calls.push_back(call);
        Entry { journal: Arc::clone(self), seq }
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        lock(&self.calls).calls.iter().cloned().collect()
    }

    /// Drops the calls; sequence numbers continue.
    pub(crate) fn clear(&self) {
        lock(&self.calls).calls.clear();
    }
}

impl Call {
    pub(crate) fn new(service: Service, described: Described, path: String) -> Self {
        Self {
            seq: 0,
            at_ms: 0,
            service,
            operation: described.operation.to_owned(),
            target: described.target,
            path,
            key: described.key,
            traceparent: None,
            authorization: None,
            spiffe_id: None,
            body: described.body.unwrap_or_default(),
            status: None,
            fault: None,
            effect: false,
            replayed: false,
        }
    }
}

/// The journal entry of a call in progress.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    journal: Arc<Journal>,
    seq: u64,
}

impl Entry {
    /// Records that the call changed state.
    pub(crate) fn effect(&self) {
        self.update(|call| call.effect = true);
    }

    /// Records that the response is that of an earlier call.
    pub(crate) fn replayed(&self) {
        self.update(|call| call.replayed = true);
    }

    pub(crate) fn fault(&self, name: &str) {
        self.update(|call| call.fault = Some(name.to_owned()));
    }

    pub(crate) fn answered(&self, status: Status) {
        self.update(|call| call.status = Some(status));
    }

    fn update(&self, change: impl FnOnce(&mut Call)) {
        let mut kept = lock(&self.journal.calls);
        let first = kept.calls.front().map_or(u64::MAX, |call| call.seq);
        // Sequence numbers have no gaps, so the index follows from the first kept call.
        let at = self.seq.checked_sub(first).and_then(|at| usize::try_from(at).ok());
        if let Some(call) = at.and_then(|at| kept.calls.get_mut(at)) {
            change(call);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call() -> Call {
        Call::new(Service::Opa, Described::default(), String::new())
    }

    #[test]
    fn the_oldest_calls_are_dropped_and_later_entries_still_find_theirs() {
        let journal = Arc::new(Journal::default());
        let first = journal.open(call());
        let entries: Vec<_> = (0..CALLS_KEPT).map(|_| journal.open(call())).collect();
        first.effect();
        entries.last().unwrap().effect();
        let calls = journal.calls();
        assert_eq!(calls.len(), CALLS_KEPT);
        assert_eq!(calls[0].seq, 2);
        let effects: Vec<_> = calls.iter().filter(|call| call.effect).map(|call| call.seq).collect();
        assert_eq!(effects, [CALLS_KEPT as u64 + 1]);
    }

    #[test]
    fn an_entry_outlives_the_clearing_of_the_journal() {
        let journal = Arc::new(Journal::default());
        let old = journal.open(call());
        journal.clear();
        let new = journal.open(call());
        old.effect();
        assert!(!journal.calls()[0].effect);
        new.effect();
        assert!(journal.calls()[0].effect);
    }
}
