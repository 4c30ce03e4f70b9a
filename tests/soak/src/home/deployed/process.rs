//! The process of a function, found by the connection that it made. On Linux, by `/proc`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use heal_stack::STACK;

/// A process that executes a function.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    pub pid: String,
    /// The function's name without that of its stack, such as `dispatcher`.
    pub function: String,
}

impl Process {
    /// The function at the other end of a connection; `None` if it has ended, or is not one of the stack.
    pub(super) fn at(peer: SocketAddr) -> Option<Self> {
        let socket = format!("socket:[{}]", inode(&fs::read_to_string("/proc/net/tcp").ok()?, peer.port())?);
        let processes = fs::read_dir("/proc").ok()?.flatten();
        processes.into_iter().find_map(|entry| {
            let function = function_of(&fs::read(entry.path().join("environ")).ok()?)?;
            let pid = entry.file_name().into_string().ok()?;
            has_open(&entry.path(), &socket).then_some(Self { pid, function })
        })
    }

    /// As if its host were gone. Whether there was such a process.
    pub(super) fn kill(&self) -> bool {
        Command::new("kill").args(["-9", &self.pid]).status().is_ok_and(|status| status.success())
    }
}

/// The inode of the loopback socket whose own port is `port`, of the table `/proc/net/tcp`: the local address is its second column, the inode
/// the tenth.
fn inode(table: &str, port: u16) -> Option<&str> {
    let own = format!("0100007F:{port:04X}");
    let mut rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    rows.find_map(|row| row.get(1).is_some_and(|local| *local == own).then(|| row.get(9).copied())?)
}

/// The function of a process with this environment.
fn function_of(environment: &[u8]) -> Option<String> {
    let prefix = format!("AWS_LAMBDA_FUNCTION_NAME={STACK}-");
    let entries = environment.split(|byte| *byte == 0).filter_map(|entry| std::str::from_utf8(entry).ok());
    entries.into_iter().find_map(|entry| entry.strip_prefix(&prefix)).map(ToOwned::to_owned)
}

fn has_open(process: &Path, socket: &str) -> bool {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.into_iter().any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_found_by_its_own_port() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
            0: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 111 1\n   \
            1: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000     0        0 222 1\n";
        assert_eq!((inode(table, 50_000), inode(table, 8_080), inode(table, 1)), (Some("222"), Some("111"), None));
    }

    #[test]
    fn only_a_process_of_the_stack_is_a_function() {
        let environment = format!("PATH=/bin\0AWS_LAMBDA_FUNCTION_NAME={STACK}-restart-pod\0");
        assert_eq!(function_of(environment.as_bytes()).as_deref(), Some("restart-pod"));
        assert_eq!(function_of(b"AWS_LAMBDA_FUNCTION_NAME=other-dispatcher\0"), None);
    }
}
