//! Names that may go in a path of the Kubernetes API.

/// Longest DNS label (RFC 1123).
const MAX_LABEL_BYTES: usize = 63;

/// Longest DNS name (RFC 1123).
const MAX_NAME_BYTES: usize = 253;

/// Whether `text` is a DNS label, as namespaces are.
pub fn is_dns_label(text: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty()
        && text.len() <= MAX_LABEL_BYTES
        && text.bytes().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// Whether `text` is a DNS subdomain, as pod names are: labels with dots between.
pub fn is_dns_name(text: &str) -> bool {
    text.len() <= MAX_NAME_BYTES && text.split('.').all(is_dns_label)
}
