//! Which process holds the lock of a file.

use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;

/// Linux's table of all locks, one a line, such as `1: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF`.
const LOCKS: &str = "/proc/locks";

/// The id of the process that holds the file's lock. `None` where the system does not tell it: on another system, or in another container.
pub(super) fn of(file: &Metadata) -> Option<u32> {
    find(&fs::read_to_string(LOCKS).ok()?, file.dev(), file.ino())
}

/// How an error names the process.
pub(super) fn name(process: Option<u32>) -> String {
    process.map_or_else(|| "`fuser FILE` shows the process".to_owned(), |process| format!("process {process}"))
}

fn find(locks: &str, device: u64, inode: u64) -> Option<u32> {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    let holder = locks.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let kinds = [fields.next()?, fields.next()?, fields.next()?];
        let (process, locked) = (fields.next()?, fields.next()?);
        (kinds == ["FLOCK", "ADVISORY", "WRITE"] && locked == file).then_some(process)
    });
    holder?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "1: POSIX  ADVISORY  READ 17 fd:01:1234 128 128\n2: FLOCK  ADVISORY  WRITE 99 00:21:1234 0 EOF\n\
                         3: FLOCK  ADVISORY  READ 98 fd:01:1234 0 EOF\n3: -> FLOCK  ADVISORY  WRITE 97 fd:01:1234 0 EOF\n\
                         4: FLOCK  ADVISORY  WRITE 4711 fd:01:1234 0 EOF\n";

    #[test]
    fn the_holder_is_the_one_with_the_exclusive_lock_on_this_device() {
        assert_eq!(find(TABLE, 0xfd01, 1234), Some(4711));
        assert_eq!(find(TABLE, 0x21, 1234), Some(99));
        assert_eq!(find(TABLE, 0xfd01, 123), None);
    }
}
