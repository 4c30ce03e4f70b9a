//! One listening loopback port, which can be closed so that connections are refused, and opened again.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// The listen backlog: connections that the kernel queues until they are accepted.
const BACKLOG_CONNECTIONS: i32 = 1024;
/// The wait after a failed accept on an open port (out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// A loopback port that stays bound from start to end, open or not.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    socket: StdListener,
    open: watch::Sender<bool>,
}

impl Port {
    /// Binds `port` on 127.0.0.1; 0 takes a free one.
    pub(crate) fn bind(port: u16) -> io::Result<Arc<Self>> {
        let socket = match port {
            0 => {
                // The kernel releases a port that it chose itself when the socket is shut down, but keeps one that was
                // requested. So request the chosen port while the choosing socket still holds it.
                let choice = bound(0)?;
                bound(choice.local_addr()?.as_socket().map_or(0, |address| address.port()))?
            }
            port => bound(port)?,
        };
        socket.listen(BACKLOG_CONNECTIONS)?;
        let socket = StdListener::from(socket);
        Ok(Arc::new(Self { address: socket.local_addr()?, socket, open: watch::Sender::new(true) }))
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether connections are accepted.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Accepts or refuses connections, in effect when this returns.
    ///
    /// # Caveats
    /// Systems that cannot stop a socket from listening (Linux can) still connect; the accept loop then resets.
    pub(crate) fn set_open(&self, open: bool) {
        if self.is_open() == open {
            return;
        }
        let socket = SockRef::from(&self.socket);
        let changed = if open { socket.listen(BACKLOG_CONNECTIONS) } else { socket.shutdown(Shutdown::Read) };
        if let Err(error) = changed {
            tracing::debug!(%error, address = %self.address, open, "the port resets connections instead of refusing them");
        }
        self.open.send_replace(open);
    }

    /// Serves every connection with `serve`, with Nagle's algorithm off. Dropping the future drops the connections.
    pub(crate) async fn accept<F>(self: Arc<Self>, serve: impl Fn(TcpStream) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut changes = self.open.subscribe();
        loop {
            // Register the socket again after each change: an old registration stays in the shut-down state.
            let listener = match self.socket.try_clone().and_then(TcpListener::from_std) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, address = %self.address, "failed to listen on the port");
                    return;
                }
            };
            changes.mark_unchanged();
            loop {
                tokio::select! {
                    biased;
                    _ = changes.changed() => break,
                    accepted = listener.accept() => match accepted {
                        Ok((stream, _)) => {
                            // Small exchanges stall for 40 ms if either end leaves Nagle's algorithm on.
                            let _ = stream.set_nodelay(true);
                            connections.spawn(serve(stream));
                            while connections.try_join_next().is_some() {}
                        }
                        Err(_) if self.is_open() => tokio::time::sleep(ACCEPT_RETRY).await,
                        Err(_) => {
                            let _ = changes.changed().await;
                            break;
                        }
                    },
                }
            }
        }
    }
}

fn bound(port: u16) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    // Allows binding a port whose last connections still linger, but not one that is listened on.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
