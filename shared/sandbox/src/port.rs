//! One listening loopback port, which can be closed so that connecting is refused, and opened again.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Connections that the kernel keeps ready while nobody accepts.
const BACKLOG_CONNECTIONS: i32 = 1024;
/// Wait after a failed accept of an open port (out of file descriptors).
const ACCEPT_RETRY: Duration = Duration::from_millis(10);

/// A loopback port that stays ours from start to end, open or not.
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
                // A port that the system chose is given back when its socket is shut down, one that was asked for is
                // kept. So the choice is held while it is asked for.
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

    /// Whether connections are taken.
    pub(crate) fn is_open(&self) -> bool {
        *self.open.borrow()
    }

    /// Takes connections, or refuses them, from the return of this call on.
    ///
    /// # Caveats
    /// Where the system cannot stop a socket from listening (Linux can), connections are still made
    /// and the accept loop resets them.
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

    /// Serves every connection with `serve`, without delay of small packets. Dropped, it drops the connections too.
    pub(crate) async fn accept<F>(self: Arc<Self>, serve: impl Fn(TcpStream) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut connections = JoinSet::new();
        let mut changes = self.open.subscribe();
        loop {
            // Registered anew after each change: a registration never forgets that its socket was shut down.
            let listener = match self.socket.try_clone().and_then(TcpListener::from_std) {
                Ok(listener) => listener,
                Err(error) => {
                    tracing::error!(%error, address = %self.address, "the port cannot be listened to");
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
                            // Small exchanges stall 40 ms where either end leaves Nagle on.
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
    // A port whose last connections still linger can be taken at once, one that is listened on cannot.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket)
}
