//! Counts the requests of the functions to AWS, as a [`Proxy`] between them and the local AWS.

mod units;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::proxy::{Answer, Call, Forward, Proxy, Watch};
use units::Units;

/// SQS bills a request per started chunk of this many bytes (SQS pricing).
const SQS_CHUNK_BYTES: u64 = 64 * 1024;

/// The requests so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Write request units of `DynamoDB`, with those of its index.
    pub write_units: u64,
    /// Read request units of `DynamoDB`, in halves.
    pub half_read_units: u64,
    /// Billed SQS requests of the functions: sends and visibility changes. The receives and deletes of the event source
    /// mappings are not included.
    pub sqs_requests: u64,
    /// The number of calls by operation.
    pub calls: BTreeMap<String, u64>,
    /// Write units by kind of row, such as `RUN` or `CLAIM`.
    pub written: BTreeMap<String, u64>,
    /// Read units by kind of row, in halves.
    pub half_read: BTreeMap<String, u64>,
}

/// A counting proxy.
#[derive(Debug)]
pub struct Meter {
    /// The base URL of the proxy.
    pub url: String,
    proxy: Proxy,
    counter: Arc<Counter>,
}

#[derive(Debug, Default)]
struct Counter(Mutex<Counts>);

impl Meter {
    /// Listens on a free port, on a separate thread.
    pub fn start() -> Self {
        let counter = Arc::<Counter>::default();
        let proxy = Proxy::start(Arc::clone(&counter));
        Self { url: proxy.url.clone(), proxy, counter }
    }

    /// Sets the URL of the local AWS, once.
    pub fn forward_to(&self, upstream: &str) {
        self.proxy.forward_to(upstream);
    }

    /// The requests since the last call.
    pub fn take(&self) -> Counts {
        std::mem::take(&mut self.counter.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watch for Counter {
    async fn pass(&self, call: &Call, forward: Forward<'_>) -> Answer {
        let answer = forward.send().await;
        if !call.target.is_empty() {
            self.count(call, &answer);
        }
        answer
    }
}

impl Counter {
    fn count(&self, call: &Call, answer: &Answer) {
        let json = |bytes: &[u8]| serde_json::from_slice(bytes).unwrap_or(serde_json::Value::Null);
        let name = call.operation().to_owned();
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if call.target.starts_with("DynamoDB") {
            for (kind, Units { write, half_reads }) in units::units_of(&name, &json(&call.body), &json(&answer.body)) {
                counts.write_units += write;
                counts.half_read_units += half_reads;
                if write > 0 {
                    *counts.written.entry(kind.clone()).or_default() += write;
                }
                if half_reads > 0 {
                    *counts.half_read.entry(kind).or_default() += half_reads;
                }
            }
        } else if call.target.starts_with("AmazonSQS") {
            counts.sqs_requests += (call.body.len() as u64).div_ceil(SQS_CHUNK_BYTES).max(1);
        }
        *counts.calls.entry(name).or_default() += 1;
    }
}
