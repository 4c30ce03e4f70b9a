//! A server that does to every connection what its act says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::OwnedReadHalf;
use tokio::net::{TcpListener, TcpStream};

/// What the server does to one connection.
#[derive(Debug, Clone)]
pub struct Act {
    /// Sent once the client has sent something.
    pub opening: Vec<u8>,
    /// Whether the answer comes before the client has sent anything.
    pub speaks_first: bool,
    /// Whether what the client has sent contains its request.
    pub has_request: fn(&[u8]) -> bool,
    /// Sent after the request.
    pub answer: Arc<Vec<u8>>,
    pub then: Then,
}

/// What follows the answer.
#[derive(Debug, Clone)]
pub enum Then {
    /// Nothing more is sent, and the connection stays.
    Stay,
    Reset,
    /// These bytes again and again, with a pause after each.
    Repeat(Vec<u8>, Duration),
}

/// Ends with the test's process.
#[derive(Debug)]
pub struct Hostile {
    pub addr: SocketAddr,
    open: Arc<AtomicUsize>,
    accepted: Arc<AtomicUsize>,
}

impl Hostile {
    /// Serves on a thread of its own, so that it takes no time of the client's.
    pub fn start(act: Act) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let this = Self { addr: listener.local_addr().unwrap(), open: Arc::default(), accepted: Arc::default() };
        let (open, accepted) = (Arc::clone(&this.open), Arc::clone(&this.accepted));
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                while let Ok((stream, _)) = listener.accept().await {
                    let (act, open) = (act.clone(), Arc::clone(&open));
                    accepted.fetch_add(1, Ordering::SeqCst);
                    open.fetch_add(1, Ordering::SeqCst);
                    tokio::spawn(async move {
                        serve(stream, act).await;
                        open.fetch_sub(1, Ordering::SeqCst);
                    });
                }
            });
        });
        this
    }

    /// Connections that the client has not closed yet.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Until the client closes the connection, or the act does.
async fn serve(stream: TcpStream, act: Act) -> Option<()> {
    let Act { opening, speaks_first, has_request, answer, then } = act;
    let (mut reads, mut writes) = stream.into_split();
    let mut seen = Vec::new();
    if !speaks_first {
        read_more(&mut reads, &mut seen).await?;
    }
    writes.write_all(&opening).await.ok()?;
    while !has_request(&seen) {
        read_more(&mut reads, &mut seen).await?;
    }
    let closed = async {
        seen.clear();
        while read_more(&mut reads, &mut seen).await.is_some() {
            seen.clear();
        }
    };
    let is_reset = matches!(then, Then::Reset);
    let acting = async {
        writes.write_all(&answer).await.ok()?;
        match then {
            Then::Stay => std::future::pending().await,
            Then::Reset => {}
            Then::Repeat(block, pause) => loop {
                writes.write_all(&block).await.ok()?;
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
            },
        }
        Some(())
    };
    tokio::select! {
        () = closed => {}
        _ = acting => {}
    }
    if is_reset {
        let stream = reads.reunite(writes).ok()?;
        // Unread or unsent bytes are dropped, and the peer gets RST.
        stream.set_zero_linger().ok()?;
    }
    Some(())
}

async fn read_more(reads: &mut OwnedReadHalf, seen: &mut Vec<u8>) -> Option<()> {
    let mut block = [0; 4096];
    match reads.read(&mut block).await.ok()? {
        0 => None,
        read => {
            seen.extend_from_slice(&block[..read]);
            Some(())
        }
    }
}
