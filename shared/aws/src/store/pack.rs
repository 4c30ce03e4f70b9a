//! Packs long texts: a write is billed by the kilobyte, and a row has at most 400 KB.

use std::io::{Read as _, Write as _};

use aws_sdk_dynamodb::primitives::Blob;
use aws_sdk_dynamodb::types::AttributeValue;
use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;

use crate::limit::UNPACKED_BYTES;

/// The plain text if it has at most `plain_bytes`, so that a person can read it in the console; otherwise raw deflate.
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
        (_, Ok(packed)) => inflate(packed.as_ref()),
        (Err(_), Err(_)) => Err("is neither text nor bytes".to_owned()),
    }
}

fn deflate(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()
}

fn inflate(packed: &[u8]) -> Result<String, String> {
    let mut text = String::new();
    let mut bounded = DeflateDecoder::new(packed).take(UNPACKED_BYTES as u64 + 1);
    bounded.read_to_string(&mut text).map_err(|error| format!("failed to unpack: {error}"))?;
    if text.len() > UNPACKED_BYTES {
        return Err(format!("unpacks to more than {UNPACKED_BYTES} bytes"));
    }
    Ok(text)
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
        let broken = unpack(&AttributeValue::B(Blob::new([0xff, 0xff, 0xff])));
        assert!(broken.unwrap_err().starts_with("failed to unpack"));
        let bomb = deflate(&vec![b' '; UNPACKED_BYTES + 1]).unwrap();
        assert_eq!(
            unpack(&AttributeValue::B(Blob::new(bomb))),
            Err(format!("unpacks to more than {UNPACKED_BYTES} bytes"))
        );
        assert!(unpack(&AttributeValue::Bool(true)).is_err());
    }
}
