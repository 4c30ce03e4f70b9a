//! The ticket service that both call: every ticket is PENDING, and a change is answered and forgotten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

/// The service, as the driver sees it.
pub struct Tickets {
    pub url: String,
    calls: Arc<AtomicU64>,
}

impl Tickets {
    /// Serves on a free port.
    pub async fn start() -> std::io::Result<Self> {
        let socket = TcpSocket::new_v4()?;
        socket.set_nodelay(true)?;
        socket.bind(([127, 0, 0, 1], 0).into())?;
        let listener: TcpListener = socket.listen(1_024)?;
        let url = format!("http://{}", listener.local_addr()?);
        let calls = Arc::new(AtomicU64::new(0));
        let router = Router::new()
            .route("/health", get(|| async { Json(json!({"status": "ok"})) }))
            .route("/tickets/{id}", get(read).patch(change))
            .with_state(Arc::clone(&calls));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { url, calls })
    }

    /// Calls so far.
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }
}

fn ticket(id: &str, status: &str) -> Json<Value> {
    Json(json!({
        "ticket_id": id, "status": status, "assigned_worker": null, "workflow_id": "wf-1", "plan_id": "p-1", "priority": 5, "retry_count": 0,
        "created_at": 1_700_000_000_000_u64, "sla": {"timeout_ms": 60_000}, "metadata": {},
    }))
}

async fn read(State(calls): State<Arc<AtomicU64>>, Path(id): Path<String>) -> Json<Value> {
    calls.fetch_add(1, Ordering::Relaxed);
    ticket(&id, "PENDING")
}

async fn change(State(calls): State<Arc<AtomicU64>>, Path(id): Path<String>, Json(body): Json<Value>) -> Json<Value> {
    calls.fetch_add(1, Ordering::Relaxed);
    ticket(&id, body["status"].as_str().unwrap_or_default())
}
