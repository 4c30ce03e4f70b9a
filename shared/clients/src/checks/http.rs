//! HTTP probes: one exchange with the limits of every client.

use std::sync::OnceLock;
use std::time::Duration;

use heal_runtime::checks::{Http as Probe, Method, Observation};
use serde_json::Value;
use url::Url;

use super::{Configured, failing};
use crate::call::CallContext;
use crate::error::{Effect, Error, OutageKind, chain};
use crate::http::{Answer, Http, MAX_BODY_BYTES, Request};

const SERVICE: &str = "http probe";

/// Longer than any probe's timeout, which ends the call first.
const MAX_TIMEOUT: Duration = Duration::from_mins(1);

/// One client for plain HTTP and one for TLS, each made at its first use.
#[derive(Debug, Default)]
pub(super) struct Client {
    plain: OnceLock<Configured<Http>>,
    tls: OnceLock<Configured<Http>>,
}

impl Client {
    pub(super) async fn probe(&self, probe: &Probe, context: &CallContext) -> Observation {
        let (http, request) = match (self.http(&probe.url), request(probe)) {
            (Ok(http), Ok(request)) => (http, request),
            (Err(problem), _) | (_, Err(problem)) => return Observation::unknown(problem),
        };
        let failing_with = |status: Option<u16>, reason: String| {
            let fields = [("url", Value::from(probe.url.as_str())), ("status", Value::from(status))];
            Observation::failing(failing(&probe.url, fields, reason))
        };
        match http.exchange(&request, context).await {
            Ok(answer) => match unexpected(probe, &answer) {
                None => Observation::well(),
                Some(reason) => failing_with(Some(answer.status), reason),
            },
            Err(error @ (Error::Invalid { .. } | Error::Misconfigured(_))) => Observation::unknown(error.to_string()),
            Err(Error::Unavailable(own)) if own.kind == OutageKind::OwnTrouble => Observation::unknown(own.to_string()),
            Err(error @ (Error::Unavailable(_) | Error::Refused(_))) => failing_with(None, error.to_string()),
        }
    }

    fn http(&self, url: &str) -> Result<&Http, String> {
        let (slot, scheme) =
            if url.starts_with("http://") { (&self.plain, "http://") } else { (&self.tls, "https://") };
        slot.get_or_init(|| Http::new(SERVICE, scheme, MAX_TIMEOUT)).as_ref().map_err(Error::to_string)
    }
}

fn request(probe: &Probe) -> Result<Request, String> {
    let url = Url::parse(&probe.url).map_err(|error| format!("{}: {}", probe.url, chain(&error)))?;
    let method = match probe.method {
        Method::Get => http::Method::GET,
        Method::Head => http::Method::HEAD,
    };
    Ok(Request { operation: "check", method, url, body: None, at_stake: Effect::NotApplied })
}

/// Why the response is not the expected one; `None` if it is.
fn unexpected(probe: &Probe, answer: &Answer) -> Option<String> {
    if !probe.expect_status.contains(&answer.status) {
        let expected: Vec<String> = probe.expect_status.iter().map(u16::to_string).collect();
        return Some(format!("{} responds {}, expected {}", probe.url, answer.status, expected.join(" or ")));
    }
    let wanted = probe.expect_body_contains.as_deref()?;
    match &answer.body {
        None => Some(format!("the response of {} is over {MAX_BODY_BYTES} bytes and is not searched", probe.url)),
        Some(body) if contains(body, wanted.as_bytes()) => None,
        Some(_) => Some(format!("the response of {} does not contain {wanted:?}", probe.url)),
    }
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    body.windows(wanted.len().max(1)).any(|part| part == wanted)
}
