//! What a browser could be made to do by another site, and the headers that tell it what to refuse.
//!
//! A page of another site can make a browser send a form here, and a name that is rebound to this machine can read what it likes. So the
//! `Host` has to be one of ours, a change has to come from our own pages, and its body has to be JSON, which no form can be.

use std::net::{IpAddr, SocketAddr};

use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use url::Url;

use super::GatewayName;
use super::refusal::{Reason, Refusal};
use super::roles;
use crate::request::is_json;

/// Longest host that a refusal repeats, in bytes.
const SHOWN_BYTES: usize = 100;

const HEADERS: [(HeaderName, &str); 5] = [
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// The names of this server.
#[derive(Debug)]
pub(super) struct Browser {
    /// Names besides `localhost` and IP addresses, in lower case, without ports.
    hosts: Vec<String>,
    public_url: Option<Url>,
    is_loopback: bool,
}

impl Browser {
    /// `address` is that of this process; `None` behind a gateway.
    pub(super) fn new(mut hosts: Vec<String>, public_url: Option<Url>, address: Option<SocketAddr>) -> Self {
        hosts.extend(public_url.as_ref().and_then(Url::host_str).map(ToOwned::to_owned));
        hosts.iter_mut().for_each(|host| host.make_ascii_lowercase());
        Self { hosts, public_url, is_loopback: address.is_some_and(|address| address.ip().is_loopback()) }
    }

    /// Whether cookies are for HTTPS only.
    pub(super) fn is_secure(&self) -> bool {
        match &self.public_url {
            Some(url) => url.scheme() == "https",
            None => !self.is_loopback,
        }
    }

    pub(super) const fn public_url(&self) -> Option<&Url> {
        self.public_url.as_ref()
    }

    /// A name is rebound to this machine by its owner; an address cannot be, and neither can `localhost`.
    pub(super) fn check_host(&self, request: &Request) -> Result<(), Refusal> {
        let host = host_of(request).ok_or_else(|| Refusal::new(Reason::Host, "the request names no host"))?;
        let name = without_port(host).to_ascii_lowercase();
        let is_address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().is_ok();
        let is_attested = request.extensions().get::<GatewayName>().is_some_and(|GatewayName(own)| *own == name);
        if is_address || name == "localhost" || is_attested || self.hosts.contains(&name) {
            return Ok(());
        }
        let shown: String = name.chars().filter(|letter| !letter.is_control()).take(SHOWN_BYTES).collect();
        let message = format!("this server is not `{shown}`; if it is, add the name to `hosts` in the file of --api");
        Err(Refusal::new(Reason::Host, message))
    }

    /// Whether a request that may change something comes from our own pages or from no browser, with JSON or without a form.
    pub(super) fn check_change(request: &Request, path: Option<&str>) -> Result<(), Refusal> {
        if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
            return Ok(());
        }
        check_origin(request)?;
        // A browser asks before it sends any other method to another site, and the answer to that is never yes.
        let takes_form = matches!(path, Some("/login" | "/logout"));
        // Without a route for it, a POST gets 404 or 405 whatever its body is.
        let has_route = roles::has_route(request.method(), path);
        if *request.method() != Method::POST || !has_route || takes_form || is_json(request.headers()) {
            return Ok(());
        }
        let message = "a POST needs the header `content-type: application/json`, also without a body";
        Err(Refusal::new(Reason::ContentType, message))
    }
}

/// Whether a person's browser asks for a page.
pub(super) fn wants_page(request: &Request) -> bool {
    let accepts = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    *request.method() == Method::GET && accepts.contains("text/html")
}

fn check_origin(request: &Request) -> Result<(), Refusal> {
    let text = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok());
    let refused = |what: &str| {
        let message =
            format!("a page of another site sent this request ({what}); only pages of this server may change anything");
        Err(Refusal::new(Reason::Origin, message))
    };
    match text("sec-fetch-site") {
        // No page can forge this. Its forms say `Origin: null`, since our pages tell nobody where their reader comes from.
        Some("same-origin") => return Ok(()),
        Some("none") | None => {}
        Some(_) => return refused("Sec-Fetch-Site"),
    }
    if !request.headers().contains_key(header::ORIGIN) {
        return Ok(());
    }
    let origin = text("origin").and_then(|origin| origin.split_once("://"));
    match origin {
        Some((_, authority)) if host_of(request).is_some_and(|host| host.eq_ignore_ascii_case(authority)) => Ok(()),
        Some(_) | None => refused("Origin"),
    }
}

/// The host that the request names, with its port.
fn host_of(request: &Request) -> Option<&str> {
    let mut named = request.headers().get_all(header::HOST).iter();
    match (named.next(), named.next()) {
        (Some(host), None) => host.to_str().ok(),
        (None, _) => request.uri().authority().map(Authority::as_str),
        (Some(_), Some(_)) => None,
    }
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) && !name.ends_with(':') => name,
        Some(_) | None => host,
    }
}

/// Adds the headers that a handler did not set itself.
pub(super) fn harden(headers: &mut HeaderMap) {
    for (name, value) in HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    type Headers<'h> = &'h [(&'h str, &'h str)];

    fn browser() -> Browser {
        let url = Url::parse("https://heal.example.com/").unwrap();
        Browser::new(vec!["Heal.Internal".to_owned()], Some(url), Some("127.0.0.1:8080".parse().unwrap()))
    }

    fn request(method: &str, headers: Headers) -> Request {
        let mut request = Request::builder().method(method).uri("/api/v1/runs");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::empty()).unwrap()
    }

    #[test]
    fn only_our_own_names_and_addresses_are_hosts() {
        let cases = [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("[::1]:8080", true),
            ("10.2.3.4:80", true),
            ("heal.internal", true),
            ("HEAL.example.com:443", true),
            ("evil.example.com", false),
            ("localhost.evil.example.com", false),
            ("127.0.0.1.evil.example.com:8080", false),
            ("heal.internal.", false),
            ("", false),
        ];
        for (host, is_ours) in cases {
            assert_eq!(browser().check_host(&request("GET", &[("host", host)])).is_ok(), is_ours, "{host}");
        }
        let twice = request("GET", &[("host", "localhost"), ("host", "evil.example.com")]);
        assert!(browser().check_host(&twice).is_err());
        assert!(browser().check_host(&request("GET", &[])).is_err());
        let mut reached = request("GET", &[("host", "a1.execute-api.eu-west-1.amazonaws.com:443")]);
        assert!(browser().check_host(&reached).is_err());
        reached.extensions_mut().insert(GatewayName("a1.execute-api.eu-west-1.amazonaws.com".to_owned()));
        assert!(browser().check_host(&reached).is_ok());
        let mut rebound = request("GET", &[("host", "evil.example.com")]);
        rebound.extensions_mut().insert(GatewayName("a1.execute-api.eu-west-1.amazonaws.com".to_owned()));
        assert!(browser().check_host(&rebound).is_err());
    }

    #[test]
    fn a_change_from_another_site_is_refused() {
        let json = ("content-type", "application/json");
        let host = ("host", "localhost:8080");
        let halts = Some("/api/v1/halts");
        let cases: [(Headers, Option<Reason>); 8] = [
            (&[host, json], None),
            (&[host, json, ("origin", "http://localhost:8080"), ("sec-fetch-site", "same-origin")], None),
            (&[host, json, ("origin", "http://localhost:9090")], Some(Reason::Origin)),
            (&[host, json, ("origin", "null")], Some(Reason::Origin)),
            (&[host, json, ("sec-fetch-site", "same-site")], Some(Reason::Origin)),
            (&[host, json, ("sec-fetch-site", "cross-site")], Some(Reason::Origin)),
            (&[host, ("content-type", "application/x-www-form-urlencoded")], Some(Reason::ContentType)),
            (&[host], Some(Reason::ContentType)),
        ];
        for (headers, expected) in cases {
            let refused = Browser::check_change(&request("POST", headers), halts).err().map(|refusal| refusal.reason);
            assert_eq!(refused, expected, "{headers:?}");
        }
        assert!(Browser::check_change(&request("GET", &[("sec-fetch-site", "cross-site")]), halts).is_ok());
        assert!(Browser::check_change(&request("DELETE", &[host]), Some("/api/v1/halts/{id}")).is_ok());
        // The router answers 405.
        assert!(Browser::check_change(&request("POST", &[host]), Some("/api/v1/approvals")).is_ok());
    }
}
