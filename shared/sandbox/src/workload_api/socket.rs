//! The unix or TCP socket of the Workload API.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;

use axum::Router;
use tokio::net::UnixListener;
use tokio::task::JoinSet;

use crate::connection;
use crate::port::Port;
use crate::spiffe_ca::CaError;

/// Where the API listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Socket {
    /// A unix socket at this path, which must not exist.
    Unix(PathBuf),
    /// A port of 127.0.0.1; 0 takes a free one.
    Tcp(u16),
}

/// Why the API could not be started.
#[derive(Debug, thiserror::Error)]
pub enum WorkloadError {
    /// The socket cannot be listened on.
    #[error("workload API: cannot listen on {socket}")]
    Bind {
        /// The requested path or port.
        socket: String,
        /// The reason of the operating system.
        #[source]
        source: io::Error,
    },
    /// The identity cannot be issued.
    #[error(transparent)]
    Identity(#[from] CaError),
    /// `start` was called outside of a tokio runtime.
    #[error("no tokio runtime to serve on")]
    Runtime(#[from] tokio::runtime::TryCurrentError),
}

/// The name of the socket. Dropping it removes a unix socket.
#[derive(Debug)]
pub(super) struct Listening {
    pub(super) endpoint: String,
    path: Option<PathBuf>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(path) = &self.path {
            let _ = std::fs::remove_file(path);
        }
    }
}

type Accept = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Binds the socket on the current runtime; the returned future serves until dropped.
pub(super) fn listen(socket: &Socket, router: Router) -> Result<(Listening, Accept), WorkloadError> {
    let failed = |socket: String| move |source| WorkloadError::Bind { socket, source };
    match socket {
        Socket::Tcp(port) => {
            let port = Port::bind(*port).map_err(failed(format!("127.0.0.1:{port}")))?;
            let endpoint = format!("tcp://{}", port.address());
            let accept = port.accept(move |stream| connection::serve_router(stream, router.clone()));
            Ok((Listening { endpoint, path: None }, Box::pin(accept)))
        }
        Socket::Unix(path) => {
            let listener = UnixListener::bind(path).map_err(failed(path.display().to_string()))?;
            let endpoint = format!("unix://{}", path.display());
            let listening = Listening { endpoint, path: Some(path.clone()) };
            Ok((listening, Box::pin(accept_unix(listener, router))))
        }
    }
}

async fn accept_unix(listener: UnixListener, router: Router) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(connection::serve_router(stream, router.clone()));
        while connections.try_join_next().is_some() {}
    }
}
