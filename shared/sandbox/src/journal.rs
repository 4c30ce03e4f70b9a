//! The journal: every call in the order of arrival, with what it was, what was answered, and whether it had an effect.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use serde::{Deserialize, Serialize};

use crate::clock::now_ms;
use crate::lock::lock;
use crate::service::Service;

/// Calls that are kept; older ones go.
pub const CALLS_KEPT: usize = 100_000;
/// How much of a request's body is kept, in bytes.
pub const BODY_KEPT_BYTES: usize = 16 * 1024;

/// One call of a service, as it arrived and as it ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    /// The place in the order of all calls of all services, from 1.
    pub seq: u64,
    /// Arrival, epoch milliseconds.
    pub at_ms: i64,
    /// The service called.
    pub service: Service,
    /// One of [`Service::operations`], or `unknown`, or `connect` and `handshake` for connections that came no further.
    pub operation: String,
    /// The id of what the call is about: ticket, workflow or plan, `namespace/pod`, document path. Percent-decoded.
    pub target: String,
    /// Path and query as on the wire.
    pub path: String,
    /// The `Idempotency-Key`, or the orchestrator's `adjustment_id`.
    pub key: Option<String>,
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `authorization` header.
    pub authorization: Option<String>,
    /// The SPIFFE id of the client's certificate.
    pub spiffe_id: Option<String>,
    /// The request's body, at most [`BODY_KEPT_BYTES`]; a protobuf message in its JSON form.
    pub body: String,
    /// What was answered; none where no answer was (yet) sent.
    pub status: Option<Status>,
    /// The fault that met the call.
    pub fault: Option<String>,
    /// Whether the call was carried out as a change. A replayed answer, or a change that was none
    /// (pausing what is paused), is no effect.
    pub effect: bool,
    /// Whether the answer is that of an earlier call with the same key.
    pub replayed: bool,
}

/// The answer's status.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Status {
    /// An HTTP status code.
    Http(u16),
    /// A gRPC code's name, as `FAILED_PRECONDITION`.
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

/// What a call is, read off its request before it is performed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Described {
    pub(crate) operation: &'static str,
    pub(crate) target: String,
    pub(crate) key: Option<String>,
    /// The body to show in place of the raw one.
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
    /// Writes `call` down with the next sequence number.
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

    /// Forgets the calls; sequence numbers go on.
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

/// The line of a call that is under way.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    journal: Arc<Journal>,
    seq: u64,
}

impl Entry {
    /// The call was carried out as a change.
    pub(crate) fn effect(&self) {
        self.update(|call| call.effect = true);
    }

    /// The answer is that of an earlier call.
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
        // Sequence numbers have no gaps, so the place follows from the first one kept.
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
    fn the_oldest_calls_go_and_later_entries_still_find_theirs() {
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
