//! Peers over gRPC: the orchestrator.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use heal_clients::config::Config;
use heal_clients::{CallContext, Wiring, orchestrator};

use crate::undergo;
use heal_peers::frames::{
    CONTINUATION, DATA, END_HEADERS, GOAWAY, HEADERS, LAST, PING, PUSH_PROMISE, RST_STREAM, SETTINGS, STREAM,
    WINDOW_UPDATE, frame, grpc_head, has_request, header, remembered,
};
use heal_peers::hostile::{Act, Hostile, Then};

/// A frame of a type that HTTP/2 does not have is ignored (RFC 9113, section 4.1).
const UNKNOWN: u8 = 0xfa;

fn act(answer: Vec<u8>, then: Then) -> Act {
    Act { opening: frame(SETTINGS, 0, 0, &[]), speaks_first: false, has_request, answer: Arc::new(answer), then }
}

fn flood(answer: Vec<u8>, block: &[u8]) -> Act {
    act(answer, Then::Repeat(block.repeat(64 * 1024 / block.len() + 1), Duration::ZERO))
}

fn head() -> Vec<u8> {
    frame(HEADERS, END_HEADERS, STREAM, &grpc_head())
}

/// The start of a message of `length` bytes (gRPC over HTTP/2: flag and length).
fn message(compressed: u8, length: u32) -> Vec<u8> {
    [vec![compressed], length.to_be_bytes().to_vec()].concat()
}

fn acts() -> Vec<(&'static str, Act)> {
    let mut acts = vec![
        ("says nothing", act(Vec::new(), Then::Stay)),
        ("resets", act(Vec::new(), Then::Reset)),
        ("never ends the stream", act(head(), Then::Stay)),
        ("never ends the message", act([head(), data(&message(0, 100_000))].concat(), Then::Stay)),
        ("never ends the call", act([head(), data(&message(0, 0))].concat(), Then::Stay)),
        ("announces a message of 4 GiB", flood([head(), data(&message(0, u32::MAX))].concat(), &data(&[0; 1024]))),
        ("sends a compressed message", act([head(), data(&message(1, 4)), data(&[0; 4])].concat(), Then::Stay)),
        ("resets the stream", act(frame(RST_STREAM, 0, STREAM, &[0, 0, 0, 2]), Then::Stay)),
        ("goes away", act(frame(GOAWAY, 0, 0, &[0; 8]), Then::Stay)),
    ];
    let slowly = Then::Repeat(data(&[0]), Duration::from_millis(20));
    acts.push(("drips a message", act([head(), data(&message(0, 100_000))].concat(), slowly)));
    acts.extend(floods());
    acts.extend(metadata());
    acts
}

fn floods() -> Vec<(&'static str, Act)> {
    let interim = [vec![0x08], vec![3], b"100".to_vec()].concat();
    let push = [2_u32.to_be_bytes().to_vec(), grpc_head()].concat();
    vec![
        ("floods with messages", flood(head(), &data(&message(0, 0)))),
        ("floods with empty data", flood(head(), &data(&[]))),
        ("floods with pings", flood(head(), &frame(PING, 0, 0, &[0; 8]))),
        ("floods with settings", flood(head(), &frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 1]))),
        ("floods with window updates", flood(head(), &frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 0]))),
        ("floods with unknown frames", flood(head(), &frame(UNKNOWN, 0, 0, &[0; 100]))),
        ("floods with interim answers", flood(Vec::new(), &frame(HEADERS, END_HEADERS, STREAM, &interim))),
        ("floods with promises", flood(Vec::new(), &frame(PUSH_PROMISE, END_HEADERS, STREAM, &push))),
        ("floods with garbage", flood(Vec::new(), b"\x00\x7fx\n\xff")),
        ("floods with HTTP/1.1", flood(Vec::new(), b"HTTP/1.1 200 OK\r\n\r\n")),
    ]
}

fn metadata() -> Vec<(&'static str, Act)> {
    let line = header("x-a", &"a".repeat(1_000));
    let begun = frame(HEADERS, 0, STREAM, &grpc_head());
    let more = frame(CONTINUATION, 0, STREAM, &line.repeat(16));
    let megabyte = [begun.clone(), more.repeat(64), frame(CONTINUATION, END_HEADERS, STREAM, &line)].concat();
    let bomb = [grpc_head(), remembered("x-a", &"a".repeat(4_000)), vec![LAST; 12_000]].concat();
    vec![
        ("sends 1 MB of metadata", act(megabyte, Then::Stay)),
        ("never ends its metadata", flood(begun.clone(), &more)),
        ("never ends its metadata, with empty frames", flood(begun, &frame(CONTINUATION, 0, STREAM, &[]))),
        ("sends metadata that stands for 48 MB", act(frame(HEADERS, END_HEADERS, STREAM, &bomb), Then::Stay)),
        ("floods with trailers that stand for 48 MB", flood(head(), &frame(HEADERS, END_HEADERS, STREAM, &bomb))),
    ]
}

fn data(payload: &[u8]) -> Vec<u8> {
    frame(DATA, 0, STREAM, payload)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_orchestrator_that_does_harm_holds_up_nothing() {
    for (name, act) in acts() {
        undergo(&format!("orchestrator: {name}"), act, async |server: &Hostile| {
            let env = BTreeMap::from(
                [
                    ("ORCHESTRATOR_GRPC_HOST", server.addr.ip().to_string()),
                    ("ORCHESTRATOR_GRPC_PORT", server.addr.port().to_string()),
                    ("ORCHESTRATOR_GRPC_USE_TLS", "false".to_owned()),
                ]
                .map(|(name, value)| (name.to_owned(), value)),
            );
            let config = Config::read(&env).unwrap();
            let client = Arc::new(orchestrator::Client::new(&config.orchestrator, &Wiring::default()).unwrap());
            move |context: CallContext| {
                let client = Arc::clone(&client);
                async move {
                    let read = client.get_workflow_status("wf-1", false, &context).await;
                    read.map(drop).map_err(|error| error.to_string())
                }
            }
        })
        .await;
    }
}
