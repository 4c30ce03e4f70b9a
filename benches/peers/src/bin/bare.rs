//! The least that any engine of this kind has to do for the same run, and nothing else: take a request, call the ticket service eight times, and have
//! a record on the disk before each of four effects, after it, and before the run is accepted. No state is read, nothing is checked, and a crash is
//! not recovered from. What an engine takes more than this is its own; what this takes, the machine and HTTP take.
//!
//! Arguments: address, URL of the tickets, the file of the records.

use std::fs::File;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use axum::Router;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use serde_json::{Value, json};
use tokio::net::TcpSocket;
use tokio::sync::oneshot;

const STEPS: usize = 4;
/// Bytes of a record.
const RECORD: usize = 256;

/// Who waits until its record is on the disk.
type Waiting = oneshot::Sender<()>;

struct Bare {
    http: reqwest::Client,
    tickets: String,
    records: Sender<Waiting>,
}

impl Bare {
    /// Comes back when a record is on the disk.
    async fn record(&self) {
        let (written, waiting) = oneshot::channel();
        self.records.send(written).expect("the writer lives");
        waiting.await.expect("the record is written");
    }

    async fn update(&self, ticket: &str) -> reqwest::Result<()> {
        let url = format!("{}/tickets/{ticket}", self.tickets);
        let _: Value = self.http.get(&url).send().await?.error_for_status()?.json().await?;
        self.record().await;
        let change = json!({"status": "RUNNING"});
        let _: Value = self.http.patch(&url).json(&change).send().await?.error_for_status()?.json().await?;
        self.record().await;
        Ok(())
    }
}

async fn run(State(bare): State<Arc<Bare>>, Path(ticket): Path<String>) -> String {
    bare.record().await;
    for step in 1..=STEPS {
        bare.update(&format!("{ticket}-{step}")).await.expect("the ticket service answers");
    }
    "RUNNING".to_owned()
}

/// Writes what waits in one piece, and syncs once for all of it.
fn write(mut file: File, records: &Receiver<Waiting>) {
    while let Ok(first) = records.recv() {
        let waiting: Vec<Waiting> = std::iter::once(first).chain(records.try_iter()).collect();
        file.write_all(&vec![b'r'; RECORD * waiting.len()])
            .and_then(|()| file.sync_data())
            .expect("the disk takes the records");
        for written in waiting {
            let _ = written.send(());
        }
    }
}

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, tickets, records] = arguments.as_slice() else { panic!("usage: bare ADDRESS TICKETS RECORDS") };
    let file = File::create(records).expect("a file for the records");
    let (sender, receiver) = channel();
    std::thread::spawn(move || write(file, &receiver));
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    let bare = Arc::new(Bare { http, tickets: tickets.clone(), records: sender });
    let router =
        Router::new().route("/health", get(|| async { "ok" })).route("/run/{ticket}", post(run)).with_state(bare);
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.set_nodelay(true).and_then(|()| socket.bind(address.parse().expect("an address"))).expect("a free address");
    axum::serve(socket.listen(1_024).expect("a listener"), router).await.expect("the server runs");
}
