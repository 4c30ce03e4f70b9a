//! A hand-written HTTP/1.1 server that handles each request as its script says.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the server handles one request.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Reply(Vec<u8>),
    /// Sends nothing until the client gives up.
    Hang,
    /// Reads the request and closes the connection.
    DropAnswer,
    /// Closes the connection before the announced body is complete.
    CutBody,
    /// Sends one byte every 50 ms for ever.
    Drip,
    /// Sends a body of `bytes` bytes; `announced` adds `content-length`.
    Big {
        bytes: usize,
        announced: bool,
    },
}

/// One received request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub method: String,
    pub target: String,
    head: String,
    pub body: Vec<u8>,
}

impl Seen {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Wire {
    pub addr: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Debug, Default)]
struct Shared {
    script: VecDeque<Act>,
    seen: Vec<Seen>,
    connections: usize,
    body_bytes_sent: usize,
    under_way: usize,
    most_under_way: usize,
}

impl Wire {
    /// Performs the acts in order and repeats the last one.
    pub(crate) async fn start(script: impl IntoIterator<Item = Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let wire = Self {
            addr: listener.local_addr().unwrap(),
            shared: Arc::new(Mutex::new(Shared { script: script.into_iter().collect(), ..Shared::default() })),
        };
        let server = wire.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                server.shared.lock().unwrap().connections += 1;
                tokio::spawn(server.clone().serve(stream));
            }
        });
        wire
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.addr)
    }

    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.shared.lock().unwrap().seen.clone()
    }

    pub(crate) fn body_bytes_sent(&self) -> usize {
        self.shared.lock().unwrap().body_bytes_sent
    }

    pub(crate) fn most_under_way(&self) -> usize {
        self.shared.lock().unwrap().most_under_way
    }

    pub(crate) fn then(&self, act: Act) {
        let mut shared = self.shared.lock().unwrap();
        shared.script.clear();
        shared.script.push_back(act);
    }

    async fn serve(self, mut stream: TcpStream) -> Option<()> {
        loop {
            let seen = read_request(&mut stream).await?;
            let act = {
                let mut shared = self.shared.lock().unwrap();
                shared.seen.push(seen);
                shared.under_way += 1;
                shared.most_under_way = shared.most_under_way.max(shared.under_way);
                match shared.script.len() {
                    0 | 1 => shared.script.front().cloned().unwrap(),
                    _ => shared.script.pop_front().unwrap(),
                }
            };
            let keep_open = self.perform(&mut stream, act).await;
            self.shared.lock().unwrap().under_way -= 1;
            keep_open?;
        }
    }

    /// `None` if the connection is to be closed.
    async fn perform(&self, stream: &mut TcpStream, act: Act) -> Option<()> {
        match act {
            Act::Reply(bytes) => {
                // Lets the calls of a batch overlap.
                tokio::time::sleep(Duration::from_millis(5)).await;
                stream.write_all(&bytes).await.ok()
            }
            Act::Hang => {
                let mut gone = [0; 1];
                let _ = stream.read(&mut gone).await;
                None
            }
            Act::DropAnswer => None,
            Act::CutBody => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"tick";
                stream.write_all(head.as_bytes()).await.ok()?;
                None
            }
            Act::Drip => {
                let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n";
                stream.write_all(head.as_bytes()).await.ok()?;
                loop {
                    stream.write_all(b" ").await.ok()?;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
            Act::Big { bytes, announced } => self.flood(stream, bytes, announced).await,
        }
    }

    async fn flood(&self, stream: &mut TcpStream, bytes: usize, announced: bool) -> Option<()> {
        let length =
            if announced { format!("content-length: {bytes}\r\n") } else { "connection: close\r\n".to_owned() };
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{length}\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        let block = vec![b' '; 64 * 1024];
        let mut left = bytes;
        while left > 0 {
            let part = left.min(block.len());
            stream.write_all(&block[..part]).await.ok()?;
            self.shared.lock().unwrap().body_bytes_sent += part;
            left -= part;
        }
        None
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut block = [0; 4096];
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        match stream.read(&mut block).await.ok()? {
            0 => return None,
            read => bytes.extend_from_slice(&block[..read]),
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut seen = Seen {
        method: head.split(' ').next().unwrap().to_owned(),
        target: head.split(' ').nth(1).unwrap().to_owned(),
        head,
        body: bytes[head_end..].to_vec(),
    };
    let length: usize = seen.header("content-length").map_or(0, |text| text.parse().unwrap());
    while seen.body.len() < length {
        match stream.read(&mut block).await.ok()? {
            0 => return None,
            read => seen.body.extend_from_slice(&block[..read]),
        }
    }
    Some(seen)
}

/// A response with a JSON body.
pub(crate) fn json(status: u16, body: &serde_json::Value) -> Act {
    reply(status, "content-type: application/json\r\n", &body.to_string())
}

/// A response with additional header lines, each terminated by CRLF.
pub(crate) fn reply(status: u16, headers: &str, body: &str) -> Act {
    let length = body.len();
    Act::Reply(format!("HTTP/1.1 {status} X\r\n{headers}content-length: {length}\r\n\r\n{body}").into_bytes())
}

/// A ticket as the service returns it.
pub(crate) fn ticket(id: &str, status: &str) -> serde_json::Value {
    serde_json::json!({
        "ticket_id": id, "status": status, "assigned_worker": null, "workflow_id": "wf-1", "plan_id": "plan-1",
        "priority": "HIGH", "retry_count": 1, "created_at": 1, "started_at": null,
        "sla": {"timeout_ms": 1000, "deadline": 2}, "metadata": {}, "task_type": "BUILD"
    })
}

/// An address without a listener.
pub(crate) async fn closed_port() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}
