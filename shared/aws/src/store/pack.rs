//! Packs long texts: a write is billed by the kilobyte, and a row has at most 400 KB.
//!
//! A row's text is short, so deflate has little to refer back to within it. It begins with a dictionary of what such texts have in common; the
//! dictionary itself is not stored. That halves most texts, and so keeps a commit within one write unit.

use std::io::{Read as _, Write as _};
use std::sync::OnceLock;

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use heal_runtime::format::COMMON_V1 as DICTIONARY;

use crate::limit::UNPACKED_BYTES;

/// The first byte of a text that is packed with [`DICTIONARY`]. Its low bits name a type of block that deflate does not have, so an earlier build,
/// which packed without a dictionary, refuses the text.
const WITH_DICTIONARY: u8 = 0b0000_1110;

/// The plain text if it has at most `plain_bytes`, so that a person can read it in the console; otherwise deflate with the dictionary.
pub(super) fn pack(text: &str, plain_bytes: usize) -> AttributeValue {
    if text.len() <= plain_bytes {
        return AttributeValue::S(text.to_owned());
    }
    match deflate(text.as_bytes()) {
        Ok(packed) if packed.len() < text.len() => AttributeValue::B(Blob::new(packed)),
        // Writing to memory does not fail. The plain text is correct too, if packing does not make it shorter.
        Ok(_) | Err(_) => AttributeValue::S(text.to_owned()),
    }
}

/// The text of a packed or plain value.
///
/// # Errors
/// Why the value is not such a text.
pub(super) fn unpack(value: &AttributeValue) -> Result<String, String> {
    match (value.as_s(), value.as_b()) {
        (Ok(text), _) => Ok(text.clone()),
        (_, Ok(packed)) => match packed.as_ref().split_first() {
            Some((&WITH_DICTIONARY, packed)) => inflate(primer(), DICTIONARY.len(), packed),
            Some(_) | None => inflate(&[], 0, packed.as_ref()),
        },
        (Err(_), Err(_)) => Err("is neither text nor bytes".to_owned()),
    }
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = primed()?;
    let primer_bytes = encoder.get_ref().len();
    encoder.write_all(bytes)?;
    let mut packed = encoder.finish()?;
    // The dictionary ends on a byte, and what follows refers back into it.
    packed.splice(..primer_bytes, [WITH_DICTIONARY]);
    Ok(packed)
}

/// An encoder that has written the dictionary.
fn primed() -> std::io::Result<DeflateEncoder<Vec<u8>>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(DICTIONARY.as_bytes())?;
    encoder.flush()?;
    Ok(encoder)
}

/// The packed dictionary. Another build may pack it into other bytes: all unpack to the same.
fn primer() -> &'static [u8] {
    static PRIMER: OnceLock<Vec<u8>> = OnceLock::new();
    // Writing to memory does not fail; without a primer, the text is refused as damaged.
    PRIMER.get_or_init(|| primed().map(|encoder| encoder.get_ref().clone()).unwrap_or_default())
}

/// The text of `packed`, without the first `primer_bytes` bytes, which `primer` unpacks to.
fn inflate(primer: &[u8], primer_bytes: usize, packed: &[u8]) -> Result<String, String> {
    let most = primer_bytes + UNPACKED_BYTES;
    let mut bytes = Vec::new();
    let mut bounded = DeflateDecoder::new(primer.chain(packed)).take(most as u64 + 1);
    bounded.read_to_end(&mut bytes).map_err(|error| format!("failed to unpack: {error}"))?;
    if bytes.len() > most {
        return Err(format!("unpacks to more than {UNPACKED_BYTES} bytes"));
    }
    let text = bytes.split_off(primer_bytes.min(bytes.len()));
    String::from_utf8(text).map_err(|error| format!("failed to unpack: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_text_stays_readable() {
        assert_eq!(pack("[{}]", 4), AttributeValue::S("[{}]".to_owned()));
    }

    #[test]
    fn a_long_text_is_packed_and_comes_back() {
        let text = "{\"event\":\"attempt_started\",\"ü\":\"\u{202e}\"}".repeat(100);
        let packed = pack(&text, 100);
        assert!(matches!(&packed, AttributeValue::B(bytes) if bytes.as_ref().len() < 200), "{packed:?}");
        assert_eq!(unpack(&packed).unwrap(), text);
    }

    #[test]
    fn what_is_not_packed_or_too_much_is_an_error() {
        for broken in [&[0xff, 0xff, 0xff][..], &[WITH_DICTIONARY, 0xff, 0xff]] {
            let broken = unpack(&AttributeValue::B(Blob::new(broken)));
            assert!(broken.unwrap_err().starts_with("failed to unpack"));
        }
        let bomb = deflate(&vec![b' '; UNPACKED_BYTES + 1]).unwrap();
        assert_eq!(
            unpack(&AttributeValue::B(Blob::new(bomb))),
            Err(format!("unpacks to more than {UNPACKED_BYTES} bytes"))
        );
        assert!(unpack(&AttributeValue::Bool(true)).is_err());
    }

    /// What an earlier build packed.
    fn without_dictionary(text: &str) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    /// The step of a run, as its commit has it.
    const STEP: &str = r#"{"format":5,"events":[{"event":"attempt_ended","step":2,"attempt":1,"result":{"ending":"succeeded","output":{"ticket_id":"t-7","status":"PENDING"}},"started_at":1795465260123,"finished_at":1795465260423},{"event":"step_ended","step":2,"outcome":"succeeded"}]}"#;

    #[test]
    fn the_dictionary_halves_a_short_text() {
        let (with, without) = (deflate(STEP.as_bytes()).unwrap().len(), without_dictionary(STEP).len());
        assert!(2 * with < without, "{with} bytes with the dictionary, {without} without");
    }

    #[test]
    fn a_text_of_an_earlier_build_is_read_and_one_with_the_dictionary_is_refused_by_it() {
        let earlier = AttributeValue::B(Blob::new(without_dictionary(STEP)));
        assert_eq!(unpack(&earlier).unwrap(), STEP);
        let packed = deflate(STEP.as_bytes()).unwrap();
        assert!(inflate(&[], 0, &packed).unwrap_err().starts_with("failed to unpack"));
    }

    #[test]
    fn the_dictionary_is_the_one_that_rows_were_packed_with() {
        let digest = heal_runtime::Digest::of(DICTIONARY.as_bytes()).to_string();
        assert_eq!(digest, "e1524f682e8566863a11389f7b09e0304d20c14fd26b901e3f07364bf7f5f1f8");
    }
}
