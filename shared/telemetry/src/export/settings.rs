//! What the environment says of telemetry. The variables of OpenTelemetry keep their meaning.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// Where metrics and traces go by OTLP over HTTP: `/v1/metrics` and `/v1/traces` below it.
pub const ENV_OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Where metrics alone go, as it is: for Prometheus 3 `http://HOST:9090/api/v1/otlp/v1/metrics`.
pub const ENV_OTLP_METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Where traces alone go, as it is.
pub const ENV_OTLP_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Headers of these requests, `name=value` with commas between; credentials, so never shown.
pub const ENV_OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// `CloudWatch` namespace of the embedded metric format.
pub const ENV_METRICS_NAMESPACE: &str = "HEAL_METRICS_NAMESPACE";
/// Set by AWS in every function.
pub const ENV_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

pub const DEFAULT_NAMESPACE: &str = "SelfHealing";

/// Where telemetry goes, and as whose.
#[derive(Debug, Clone)]
pub struct Settings {
    pub service: String,
    /// The function's name, on Lambda.
    pub function: Option<String>,
    pub traces: Option<Endpoint>,
    pub metrics: Option<Endpoint>,
    /// Of the embedded metric format.
    pub namespace: String,
}

/// One signal's receiver.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub url: String,
    pub headers: HashMap<String, String>,
}

impl fmt::Debug for Endpoint {
    /// Without the headers, and without the path, which may hold a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Credentials in the URL become the header that they stand for: HTTP libraries print the URLs that they talk to.
    fn new(url: String, mut headers: HashMap<String, String>) -> Self {
        let Some((scheme, rest)) = url.split_once("://") else { return Self { url, headers } };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let Some((credentials, host)) = authority.rsplit_once('@') else { return Self { url, headers } };
        let credentials: Vec<u8> = percent_decode_str(credentials).collect();
        if !headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
            headers.insert("authorization".to_owned(), format!("Basic {}", STANDARD.encode(credentials)));
        }
        Self { url: format!("{scheme}://{host}{path}"), headers }
    }

    /// Host and port.
    fn host(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.split(['/', '?', '#']).next().unwrap_or_default()
    }
}

impl Settings {
    /// Reads the variables by `get`; an empty one counts as unset.
    pub fn read(service: &str, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let headers = given(ENV_OTLP_HEADERS).map(|text| headers(&text)).unwrap_or_default();
        let base = given(ENV_OTLP_ENDPOINT);
        let endpoint = |own: &str, path: &str| {
            let below = || base.as_ref().map(|base| format!("{}/{path}", base.trim_end_matches('/')));
            given(own).or_else(below).map(|url| Endpoint::new(url, headers.clone()))
        };
        Self {
            service: service.to_owned(),
            function: given(ENV_FUNCTION_NAME),
            traces: endpoint(ENV_OTLP_TRACES_ENDPOINT, "v1/traces"),
            metrics: endpoint(ENV_OTLP_METRICS_ENDPOINT, "v1/metrics"),
            namespace: given(ENV_METRICS_NAMESPACE).unwrap_or_else(|| DEFAULT_NAMESPACE.to_owned()),
        }
    }
}

/// `name=value,name=value`, values percent-encoded as in W3C Baggage. What is no such pair is left out.
fn headers(text: &str) -> HashMap<String, String> {
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=')?;
        let value = percent_decode_str(value.trim()).decode_utf8().ok()?;
        Some((name.trim().to_owned(), value.into_owned()))
    };
    text.split(',').filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Settings {
        let map: HashMap<_, _> =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::read("dispatcher", &|name| map.get(name).cloned())
    }

    fn url(endpoint: Option<Endpoint>) -> Option<String> {
        endpoint.map(|endpoint| endpoint.url)
    }

    #[test]
    fn one_endpoint_serves_both_signals_and_its_own_wins() {
        let settings = read(&[(ENV_OTLP_ENDPOINT, "http://collector:4318/")]);
        assert_eq!(url(settings.traces).as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(url(settings.metrics).as_deref(), Some("http://collector:4318/v1/metrics"));

        let prometheus = "http://prometheus:9090/api/v1/otlp/v1/metrics";
        let settings = read(&[(ENV_OTLP_METRICS_ENDPOINT, prometheus), (ENV_OTLP_ENDPOINT, " ")]);
        assert_eq!((url(settings.metrics).as_deref(), url(settings.traces)), (Some(prometheus), None));
    }

    #[test]
    fn without_variables_nothing_is_sent() {
        let settings = read(&[]);
        assert_eq!((settings.traces, settings.metrics), (None, None));
        assert_eq!((settings.namespace.as_str(), settings.function), (DEFAULT_NAMESPACE, None));
    }

    #[test]
    fn credentials_in_a_url_become_a_header() {
        let endpoint = read(&[(ENV_OTLP_ENDPOINT, "https://user:p%40ss@collector:4318/otlp")]).traces.unwrap();
        assert_eq!(endpoint.url, "https://collector:4318/otlp/v1/traces");
        assert_eq!(endpoint.headers["authorization"], "Basic dXNlcjpwQHNz");
        let given = [(ENV_OTLP_ENDPOINT, "https://a:b@collector"), (ENV_OTLP_HEADERS, "Authorization=Bearer c")];
        assert_eq!(read(&given).traces.unwrap().headers, HashMap::from([("Authorization".into(), "Bearer c".into())]));
    }

    #[test]
    fn headers_are_read_and_never_shown() {
        let settings = read(&[
            (ENV_OTLP_ENDPOINT, "https://user:hunter2@collector:4318"),
            (ENV_OTLP_HEADERS, "authorization=Bearer%20hunter2, x-tenant = a ,nonsense"),
        ]);
        let endpoint = settings.metrics.clone().unwrap();
        assert_eq!(endpoint.headers["authorization"], "Bearer hunter2");
        assert_eq!(endpoint.headers["x-tenant"], "a");
        assert_eq!(endpoint.headers.len(), 2);
        let shown = format!("{settings:?}");
        assert!(!shown.contains("hunter2") && shown.contains("collector:4318"), "{shown}");
    }
}
