//! A server that does with each request what the script says, and keeps what it saw.

mod tls;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::serve::ListenerExt;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What happens to one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Reply {
        status: u16,
        headers: Vec<(&'static str, String)>,
        body: Vec<u8>,
    },
    /// No byte, for as long as the client waits.
    Hang,
    /// A good head, then one byte every 50 ms without an end.
    Drip,
    /// So many bytes of body, as fast as they are taken.
    Flood(usize),
}

/// One request as it came.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: Method,
    pub uri: Uri,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no header {name}: {self:?}")).to_str().unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub url: String,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    script: VecDeque<Act>,
    seen: Vec<Seen>,
}

impl Server {
    /// Does the acts in order, the last one for ever.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        Self::on(listener.tap_io(|stream| stream.set_nodelay(true).unwrap()), url, script)
    }

    /// The same as `https://localhost`, with a certificate of an authority of its own: its PEM is the second.
    pub(crate) async fn start_tls(script: impl IntoIterator<Item = Act>) -> (Self, String) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (listener, authority_pem) = tls::Listener::new(listener);
        (Self::on(listener, url, script), authority_pem)
    }

    fn on<L>(listener: L, url: String, script: impl IntoIterator<Item = Act>) -> Self
    where
        L: axum::serve::Listener,
        L::Addr: std::fmt::Debug,
    {
        let shared = Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), seen: Vec::new() }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, shared }
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }
}

async fn answer(State(shared): State<Arc<Mutex<Shared>>>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    let act = {
        let mut shared = shared.lock().unwrap();
        shared.seen.push(Seen { method: head.method, uri: head.uri, headers: head.headers, body });
        match shared.script.len() {
            0 | 1 => shared.script.front().cloned().unwrap(),
            _ => shared.script.pop_front().unwrap(),
        }
    };
    match act {
        Act::Reply { status, headers, body } => {
            let mut answer = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                answer.headers_mut().insert(name, value.parse().unwrap());
            }
            answer
        }
        Act::Hang => std::future::pending().await,
        Act::Drip => {
            let drops = stream::unfold((), |()| async {
                tokio::time::sleep(Duration::from_millis(50)).await;
                Some((Ok::<_, Infallible>(Bytes::from_static(b" ")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        Act::Flood(bytes) => {
            let block = Bytes::from(vec![b' '; 64 * 1024]);
            let blocks = (0..bytes.div_ceil(block.len())).map(move |_| Ok::<_, Infallible>(block.clone()));
            Body::from_stream(stream::iter(blocks)).into_response()
        }
    }
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &Value) -> Act {
    let headers = vec![("content-type", "application/json".to_owned())];
    Act::Reply { status, headers, body: body.to_string().into_bytes() }
}

/// An error as AWS's JSON services write it: its name in a header and in the body.
pub(crate) fn fault(status: u16, code: &str, message: &str) -> Act {
    let headers = vec![
        ("content-type", "application/x-amz-json-1.1".to_owned()),
        ("x-amzn-errortype", format!("{code}:http://internal.amazon.com/coral/")),
    ];
    Act::Reply { status, headers, body: json!({"__type": code, "message": message}).to_string().into_bytes() }
}

/// An address where nobody listens.
pub(crate) async fn closed() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
