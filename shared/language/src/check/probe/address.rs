//! What the texts that lead to a service look like. Whether they lead anywhere is for the look to find out.

pub(super) const URL: &str = "an http:// or https:// URL with a host and without credentials";
pub(super) const HOST: &str = "a host name or address without scheme, port and path";
pub(super) const SPIFFE_ID: &str = "a SPIFFE ID of a workload, such as spiffe://example.org/ns/a/sa/b";

pub(super) fn is_url(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://")) else { return false };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host =
        authority.rsplit_once(':').map_or(authority, |(host, port)| if is_port(port) { host } else { authority });
    is_plain(rest) && is_host(host)
}

/// A name, an IPv4 address, or an IPv6 address with or without brackets.
pub(super) fn is_host(text: &str) -> bool {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    if bare.parse::<std::net::Ipv6Addr>().is_ok() {
        return true;
    }
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=253).contains(&text.len()) && text.bytes().all(legal)
}

pub(super) fn is_spiffe_id(text: &str) -> bool {
    let Some((domain, path)) = text.strip_prefix("spiffe://").and_then(|rest| rest.split_once('/')) else {
        return false;
    };
    is_host(domain) && !path.is_empty() && is_plain(path)
}

fn is_port(text: &str) -> bool {
    text.parse::<u16>().is_ok_and(|port| port > 0)
}

/// Nothing in it that a URL cannot carry as it is.
fn is_plain(text: &str) -> bool {
    !text.chars().any(|char| char.is_whitespace() || char.is_control())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_has_a_scheme_and_a_host_and_no_credentials() {
        for good in ["http://ets:8000/health", "https://a.example.org", "http://[::1]:80/x?y=1", "http://127.0.0.1"] {
            assert!(is_url(good), "{good}");
        }
        for wrong in ["ets:8000", "ftp://a/b", "http://", "http://u:p@host/", "http://a b/", "http:///x", "http://a:0/"]
        {
            assert!(!is_url(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_host_is_nothing_but_a_host() {
        for good in ["orchestrator.svc", "10.0.0.1", "::1", "[::1]"] {
            assert!(is_host(good), "{good}");
        }
        for wrong in ["", "http://a", "a:80", "a/b", "a b"] {
            assert!(!is_host(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_spiffe_id_names_a_workload() {
        assert!(is_spiffe_id("spiffe://example.org/ns/a/sa/b"));
        for wrong in ["spiffe://example.org", "spiffe://example.org/", "https://example.org/a", "spiffe:///a"] {
            assert!(!is_spiffe_id(wrong), "{wrong}");
        }
    }
}
