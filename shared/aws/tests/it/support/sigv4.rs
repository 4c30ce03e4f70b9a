//! Signature version 4 as its specification has it, made anew from a request as the server sees it.
//! (AWS General Reference, "Create a signed AWS API request".)

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};

use super::SECRET_ACCESS_KEY;

/// A request as it arrived. `query` is raw, without the signature itself.
pub(crate) struct Arrived<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a str,
    /// Name and value of the signed headers, in order.
    pub signed_headers: &'a [(String, String)],
    pub body: &'a [u8],
}

/// The signature that it has to have. `time` as in `X-Amz-Date`, `scope` without the access key: `date/region/service/aws4_request`.
pub(crate) fn signature(arrived: &Arrived<'_>, time: &str, scope: &str) -> String {
    let mut pairs: Vec<&str> = arrived.query.split('&').filter(|pair| !pair.is_empty()).collect();
    pairs.sort_unstable();
    let headers: Vec<String> = arrived.signed_headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names: Vec<&str> = arrived.signed_headers.iter().map(|(name, _)| name.as_str()).collect();
    let canonical = format!(
        "{}\n{}\n{}\n{}\n{}\n{}",
        arrived.method,
        arrived.path,
        pairs.join("&"),
        headers.concat(),
        names.join(";"),
        hex(digest(&SHA256, arrived.body).as_ref())
    );
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let first = format!("AWS4{SECRET_ACCESS_KEY}").into_bytes();
    let key = scope.split('/').fold(first, |key, part| mac(&key, part));
    hex(&mac(&key, &to_sign))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}
