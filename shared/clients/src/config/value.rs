//! Parsers of the kinds of value that variables have. An error is what was expected of the text.

use std::fmt;
use std::time::Duration;

/// The deployment environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Environment {
    /// `production` or `prod`.
    Production,
    /// `staging` or `stage`.
    Staging,
    /// Any other name, verbatim.
    Other(String),
}

impl Environment {
    /// Whether plain-text gRPC is refused.
    pub fn requires_tls(&self) -> bool {
        match self {
            Self::Production | Self::Staging => true,
            Self::Other(_) => false,
        }
    }

    /// Accepts the short forms too, because the wrong spelling must not switch encryption off.
    #[allow(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "production" | "prod" => Self::Production,
            "staging" | "stage" => Self::Staging,
            _ => Self::Other(text.to_owned()),
        })
    }
}

impl fmt::Display for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Production => "production",
            Self::Staging => "staging",
            Self::Other(name) => name,
        })
    }
}

/// An `http` or `https` URL without credentials, query or fragment, and without a slash at its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Checks the URL and removes the slash at its end.
    ///
    /// # Errors
    /// What was expected of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        const EXPECTED: &str = "an http:// or https:// URL";
        let url = url::Url::parse(text).map_err(|error| format!("{EXPECTED} ({error})"))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
            return Err(EXPECTED.to_owned());
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("{EXPECTED} without credentials in it"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(format!("{EXPECTED} without query and fragment"));
        }
        Ok(Self(url.as_str().trim_end_matches('/').to_owned()))
    }

    /// The URL, without a slash at its end.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A SPIFFE ID of a workload: `spiffe://<trust domain>/<path>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpiffeId(String);

impl SpiffeId {
    /// Checks the id.
    ///
    /// # Errors
    /// What was expected of the text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let expected = |why: &str| format!("a SPIFFE ID such as spiffe://example.org/ns/a/sa/b ({why})");
        let id = spiffe::SpiffeId::new(text).map_err(|error| expected(&error.to_string()))?;
        if id.path().is_empty() {
            return Err(expected("it names a trust domain and no workload"));
        }
        Ok(Self(id.to_string()))
    }

    /// The id as a URI.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part between `spiffe://` and the path.
    pub fn trust_domain(&self) -> &str {
        let rest = self.0.strip_prefix("spiffe://").unwrap_or(&self.0);
        rest.split('/').next().unwrap_or(rest)
    }
}

impl fmt::Display for SpiffeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn trust_domain(text: &str) -> Result<String, String> {
    spiffe::TrustDomain::new(text)
        .map(|domain| domain.to_string())
        .map_err(|error| format!("a SPIFFE trust domain such as example.org ({error})"))
}

/// The socket as a URI. A bare absolute path, as the integration guide writes it, is a Unix socket.
pub(super) fn workload_socket(text: &str) -> Result<String, String> {
    let uri = if text.starts_with('/') { format!("unix://{text}") } else { text.to_owned() };
    match <spiffe::transport::Endpoint as std::str::FromStr>::from_str(&uri) {
        Ok(_) => Ok(uri),
        Err(error) => Err(format!("unix:///path, /path or tcp://ip:port ({error})")),
    }
}

pub(super) fn boolean(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("true or false".to_owned()),
    }
}

/// Longest timeout, in seconds: the longest that a Lambda invocation may run.
const MAX_SECONDS: u64 = 900;

pub(super) fn seconds(text: &str) -> Result<Duration, String> {
    let expected = || format!("a whole number of seconds from 1 to {MAX_SECONDS}");
    match text.parse::<u64>() {
        Ok(seconds) if (1..=MAX_SECONDS).contains(&seconds) => Ok(Duration::from_secs(seconds)),
        Ok(_) | Err(_) => Err(expected()),
    }
}

/// Highest threshold of a circuit breaker, in failures.
const MAX_THRESHOLD: u32 = 1000;

pub(super) fn threshold(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(count) if (1..=MAX_THRESHOLD).contains(&count) => Ok(count),
        Ok(_) | Err(_) => Err(format!("a whole number from 1 to {MAX_THRESHOLD}")),
    }
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    match text.parse::<u16>() {
        Ok(port) if port > 0 => Ok(port),
        Ok(_) | Err(_) => Err("a port from 1 to 65535".to_owned()),
    }
}

/// A bare host name or address. An IPv6 address comes back in brackets.
pub(super) fn host(text: &str) -> Result<String, String> {
    let expected = || "a host name or address without scheme, port and path".to_owned();
    let bracketed = match text.parse::<std::net::Ipv6Addr>() {
        Ok(_) => format!("[{text}]"),
        Err(_) => text.to_owned(),
    };
    url::Host::parse(&bracketed).map(|host| host.to_string()).map_err(|_| expected())
}

/// A DNS label, as Kubernetes requires of a namespace.
pub(super) fn namespace(text: &str) -> Result<String, String> {
    if crate::kubernetes::is_dns_label(text) {
        Ok(text.to_owned())
    } else {
        Err("a namespace: at most 63 of a-z, 0-9 and -, not first or last".to_owned())
    }
}

/// Namespaces separated by commas, at least one.
pub(super) fn namespaces(text: &str) -> Result<Vec<String>, String> {
    let all: Result<Vec<_>, _> =
        text.split(',').map(str::trim).filter(|name| !name.is_empty()).map(namespace).collect();
    match all {
        Ok(all) if !all.is_empty() => Ok(all),
        Ok(_) | Err(_) => {
            Err("namespaces separated by commas, each at most 63 of a-z, 0-9 and -, not first or last".to_owned())
        }
    }
}

/// Names separated by commas, each of `a-z`, `0-9` and `_`.
pub(super) fn names(text: &str) -> Result<Vec<String>, String> {
    text.split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| {
            let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
            if name.bytes().all(plain) {
                Ok(name.to_owned())
            } else {
                Err("names of actions separated by commas".to_owned())
            }
        })
        .collect()
}

#[allow(clippy::unnecessary_wraps, reason = "the shape of a value parser")]
pub(super) fn text(text: &str) -> Result<String, String> {
    Ok(text.to_owned())
}

/// `value` without what may be secret in an address: its query, and the part before an `@`, since even in a malformed address the password is on
/// that side.
pub fn hide_credentials(value: &str) -> String {
    let is_address = value.contains("://");
    let without_query = |text: &str| match text.split_once('?') {
        Some((address, _)) if is_address => format!("{address}?***"),
        Some(_) | None => text.to_owned(),
    };
    let Some((before, after)) = value.rsplit_once('@') else { return without_query(value) };
    // The query has an `@`, or the password a `?`: which one cannot be told.
    let after = if before.contains('?') { "***".to_owned() } else { without_query(after) };
    match before.split_once("://") {
        Some((scheme, _)) => format!("{scheme}://***@{after}"),
        None => format!("***@{after}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_credentials_and_its_query() {
        let cases = [
            ("http://host:80/path", "http://host:80/path"),
            ("http://user:password@host/path", "http://***@host/path"),
            ("https://host/path?token=a", "https://host/path?***"),
            ("https://user:p@ss@host?token=a", "https://***@host?***"),
            ("https://host/path?token=a@b", "https://***@***"),
            ("https://user:p?w@host", "https://***@***"),
            ("user:password@host", "***@host"),
            ("what?", "what?"),
        ];
        for (value, shown) in cases {
            assert_eq!(hide_credentials(value), shown);
        }
    }
}
