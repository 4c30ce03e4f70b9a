//! Packs the events of a commit and the body of a command: a page that a text fills is written twice, to the log and by a checkpoint.
//!
//! Zstandard with a dictionary of what such texts have in common, which is not stored. A commit of a kilobyte takes a third of it, so that most have
//! one page instead of three; a command takes half, and one page instead of two.

use std::cell::RefCell;
use std::sync::OnceLock;

use heal_runtime::format::COMMON_V1;
use rusqlite::Row;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

use crate::limit;

/// The level from which on more time saves little: a commit takes about 4 µs.
const LEVEL: i32 = 3;

/// The first byte of what is packed with [`COMMON_V1`].
const WITH_COMMON_V1: u8 = 1;

thread_local! {
    /// A context is costly to make, and is of use to one caller at a time.
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

/// The packed text; `None` if it is so short that it is stored as it is, or would not become shorter.
pub(crate) fn pack(text: &str) -> Option<Vec<u8>> {
    static DICTIONARY: OnceLock<EncoderDictionary<'static>> = OnceLock::new();
    if text.len() < limit::PACKED_BYTES {
        return None;
    }
    let dictionary = DICTIONARY.get_or_init(|| EncoderDictionary::copy(COMMON_V1.as_bytes(), LEVEL));
    PACKER.with_borrow_mut(|kept| {
        let packer = match kept {
            Some(packer) => packer,
            None => kept.insert(Compressor::with_prepared_dictionary(dictionary).ok()?),
        };
        // Packing in memory does not fail; the plain text is correct too.
        let packed = packer.compress(text.as_bytes()).ok()?;
        (packed.len() < text.len()).then(|| [&[WITH_COMMON_V1], packed.as_slice()].concat())
    })
}

/// The text of `packed`.
///
/// # Errors
/// Why there is none of at most [`limit::TEXT_BYTES`].
fn unpack(packed: &[u8]) -> Result<String, String> {
    static DICTIONARY: OnceLock<DecoderDictionary<'static>> = OnceLock::new();
    let dictionary = DICTIONARY.get_or_init(|| DecoderDictionary::copy(COMMON_V1.as_bytes()));
    let failed = |error: std::io::Error| format!("failed to unpack: {error}");
    let Some((&WITH_COMMON_V1, packed)) = packed.split_first() else {
        return Err("failed to unpack: packed in a way that this build does not know".to_owned());
    };
    let bytes = UNPACKER.with_borrow_mut(|kept| {
        let unpacker = match kept {
            Some(unpacker) => unpacker,
            None => kept.insert(Decompressor::with_prepared_dictionary(dictionary).map_err(failed)?),
        };
        unpacker.decompress(packed, limit::TEXT_BYTES).map_err(failed)
    })?;
    String::from_utf8(bytes).map_err(|error| format!("failed to unpack: {error}"))
}

/// The text of a row, of its columns for the plain and the packed one from `column` on, or why it cannot be unpacked.
pub(crate) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<Result<String, String>> {
    match row.get_ref(column + 1)?.as_blob_or_null()? {
        Some(packed) => Ok(unpack(packed)),
        None => row.get(column).map(Ok),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_as_it_is() {
        assert_eq!(pack(&"x".repeat(limit::PACKED_BYTES - 1)), None);
    }

    #[test]
    fn a_commit_takes_less_than_half_of_its_length_and_comes_back() {
        let text = concat!(
            include_str!("../../engine/tests/golden/events/attempt_ended_worked.json"),
            include_str!("../../engine/tests/golden/events/attempt_ended.json"),
            include_str!("../../engine/tests/golden/events/approval_requested.json"),
        );
        let packed = pack(text).unwrap();
        assert!(packed.len() * 2 < text.len(), "{} of {} bytes", packed.len(), text.len());
        assert_eq!(unpack(&packed).unwrap(), text);
    }

    /// Packed by another implementation of Zstandard. Whoever changes the dictionary or the mark loses the logs of all state files.
    #[test]
    fn what_an_earlier_build_packed_is_read() {
        let text = include_str!("../tests/golden/packed/v1.json");
        assert_eq!(unpack(include_bytes!("../tests/golden/packed/v1.bin")).unwrap(), text);
    }

    #[test]
    fn what_is_not_packed_or_too_much_is_an_error() {
        let whole = pack(&"{}".repeat(limit::PACKED_BYTES)).unwrap();
        let cut = whole.get(..whole.len() - 2).unwrap();
        for broken in [&[][..], &[0xff; 9], &[WITH_COMMON_V1, 0xff, 0xff], cut] {
            assert!(unpack(broken).unwrap_err().starts_with("failed to unpack"), "{broken:?}");
        }
        let bomb = pack(&" ".repeat(limit::TEXT_BYTES + 1)).unwrap();
        assert!(bomb.len() < 2_000);
        assert!(unpack(&bomb).unwrap_err().starts_with("failed to unpack"));
    }
}
