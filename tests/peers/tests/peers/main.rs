//! Every client of ours among peers that do harm. A program of its own, whose tests take turns: it measures its memory.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "a test may stop at the first surprise"
)]

mod aws;
mod grpc;
mod http;
mod issuer;
mod notify;
mod telemetry;

use std::future::Future;

use heal_clients::CallContext;
use heal_peers::hostile::{Act, Hostile};
use heal_peers::ordeal::Outcome;

/// As [`heal_peers::ordeal::undergo`], for the clients of the platform's services.
async fn undergo<C, F>(name: &str, act: Act, client: impl AsyncFnOnce(&Hostile) -> C)
where
    C: Fn(CallContext) -> F,
    F: Future<Output = Result<(), String>> + Send + 'static,
{
    let client = async |server: &Hostile| {
        let call = client(server).await;
        move |time| call(CallContext::within(time))
    };
    heal_peers::ordeal::undergo(name, act, Outcome::Failure, client).await;
}
