//! The same four durable steps as a service of Restate's SDK: each reads a ticket and writes its status. Arguments: address, URL of the tickets.

use std::net::SocketAddr;

use restate_sdk::prelude::*;
use tokio::net::{TcpListener, TcpSocket};

const STEPS: usize = 4;

struct Healing {
    http: reqwest::Client,
    tickets: String,
}

impl Healing {
    async fn update(&self, ticket: String) -> Result<String, HandlerError> {
        let url = format!("{}/tickets/{ticket}", self.tickets);
        let before: serde_json::Value = self.http.get(&url).send().await?.error_for_status()?.json().await?;
        if before["status"] != "PENDING" {
            return Err(TerminalError::new(format!("unexpected ticket: {before}")).into());
        }
        let change = serde_json::json!({"status": "RUNNING"});
        let after: serde_json::Value =
            self.http.patch(&url).json(&change).send().await?.error_for_status()?.json().await?;
        Ok(after["status"].as_str().unwrap_or_default().to_owned())
    }
}

#[service]
impl Healing {
    #[handler]
    async fn heal(&self, context: Context<'_>, ticket: String) -> Result<String, HandlerError> {
        let mut last = String::new();
        for step in 1..=STEPS {
            let ticket = format!("{ticket}-{step}");
            last = context.run(|| self.update(ticket)).name("update").await?;
        }
        Ok(last)
    }
}

/// Connections take over the listener's option: answers of a few bytes are not held back.
fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.set_nodelay(true)?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(1_024)
}

#[tokio::main]
async fn main() {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().and_then(|text| text.parse().ok()).expect("the address to listen on");
    let tickets = arguments.next().expect("the URL of the ticket service");
    let http = reqwest::Client::builder().no_proxy().tcp_nodelay(true).build().expect("a client");
    let endpoint = Endpoint::builder().bind(Healing { http, tickets }).build();
    HttpServer::new(endpoint).serve(listen(address).expect("a free address")).await;
}
