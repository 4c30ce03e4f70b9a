//! Trouble of this process or its machine, told from an outage of the service by the codes of the system.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::iter;

use tokio::net::TcpSocket;

/// `ENFILE` and `EMFILE` (errno(3)): the machine, or this process, has no free descriptor.
const NO_DESCRIPTOR: [i32; 2] = [23, 24];
/// `ENOBUFS`: the system has no memory for a socket's buffers.
const NO_BUFFER: i32 = if cfg!(target_os = "linux") { 105 } else { 55 };
/// A file that can always be opened if a descriptor is free.
const ALWAYS_THERE: &str = "/dev/null";

/// `error` and its causes, the outermost first.
pub(crate) fn causes<'e>(error: &'e (dyn Error + 'static)) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    iter::successors(Some(error), |&this: &&'e (dyn Error + 'static)| -> Option<&'e (dyn Error + 'static)> {
        match this.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            // The source of an I/O error is the source of its cause, not the cause itself.
            Some(inner) => Some(inner),
            None => this.source(),
        }
    })
}

/// Whether `error` comes from trouble of this process or its machine.
pub(crate) fn is_own_trouble(error: &(dyn Error + 'static)) -> bool {
    causes(error).filter_map(|cause| cause.downcast_ref()).any(is_own_code)
}

/// The same for a connection that could not be opened, or an identity that could not be read: the resolution of names and the reading of
/// certificates do not pass the code of the system on.
pub(crate) fn is_behind(error: &(dyn Error + 'static)) -> bool {
    is_own_trouble(error) || File::open(ALWAYS_THERE).is_err_and(|error| is_own_code(&error))
}

fn is_own_code(error: &io::Error) -> bool {
    if error.raw_os_error().is_some_and(|code| NO_DESCRIPTOR.contains(&code) || code == NO_BUFFER) {
        return true;
    }
    let kind = error.kind();
    matches!(kind, ErrorKind::OutOfMemory | ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
        // Said of a port that is not free, and of an address that this machine does not have, such as `::1` without IPv6.
        || (kind == ErrorKind::AddrNotAvailable && is_out_of_ports())
}

/// Whether no port is free for a connection.
fn is_out_of_ports() -> bool {
    let any = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    TcpSocket::new_v4().and_then(|socket| socket.bind(any)).is_err_and(|error| error.kind() == ErrorKind::AddrInUse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("connect")]
    struct Connect(#[source] io::Error);

    fn below(error: io::Error) -> bool {
        is_own_trouble(&Connect(io::Error::other(Connect(error))))
    }

    #[test]
    fn what_this_machine_lacks_is_found_below_errors_of_the_connection() {
        // ENOMEM, ENFILE, EMFILE, ENOSPC.
        for code in [12, 23, 24, 28, NO_BUFFER] {
            assert!(below(io::Error::from_raw_os_error(code)), "{code}");
        }
    }

    #[test]
    fn an_error_of_the_peer_or_of_the_network_is_none_of_ours() {
        for kind in [
            ErrorKind::ConnectionRefused,
            ErrorKind::ConnectionReset,
            ErrorKind::HostUnreachable,
            ErrorKind::TimedOut,
            ErrorKind::UnexpectedEof,
        ] {
            assert!(!below(kind.into()), "{kind:?}");
        }
    }

    #[test]
    fn an_address_that_this_machine_lacks_is_not_a_lack_of_ports() {
        assert!(!below(ErrorKind::AddrNotAvailable.into()));
    }
}
