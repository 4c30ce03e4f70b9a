//! The telemetry settings in the environment. OpenTelemetry's variables keep their meaning.

use std::collections::HashMap;
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::percent_decode_str;

/// Base URL of the OTLP/HTTP receiver; `/v1/metrics` and `/v1/traces` are appended.
pub const ENV_OTLP_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";
/// Complete URL for metrics alone; for Prometheus 3 `http://HOST:9090/api/v1/otlp/v1/metrics`.
pub const ENV_OTLP_METRICS_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT";
/// Complete URL for traces alone.
pub const ENV_OTLP_TRACES_ENDPOINT: &str = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT";
/// Headers of these requests: `name=value`, separated by commas. They are credentials and are never shown.
pub const ENV_OTLP_HEADERS: &str = "OTEL_EXPORTER_OTLP_HEADERS";
/// `CloudWatch` namespace of the embedded metric format.
pub const ENV_METRICS_NAMESPACE: &str = "HEAL_METRICS_NAMESPACE";
/// The function's name; AWS sets it in every function.
pub const ENV_FUNCTION_NAME: &str = "AWS_LAMBDA_FUNCTION_NAME";

/// The namespace if [`ENV_METRICS_NAMESPACE`] is unset.
pub const DEFAULT_NAMESPACE: &str = "SelfHealing";

/// The receivers of telemetry, and the service that it comes from.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The service's name, such as `dispatcher`.
    pub service: String,
    /// The function's name, on Lambda.
    pub function: Option<String>,
    /// Receiver of traces; `None` exports none.
    pub traces: Option<Endpoint>,
    /// Receiver of metrics; `None` exports none by OTLP.
    pub metrics: Option<Endpoint>,
    /// `CloudWatch` namespace of the embedded metric format.
    pub namespace: String,
}

/// The receiver of one signal.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Complete URL, without credentials.
    pub url: String,
    /// Headers of every request; they may be credentials.
    pub headers: HashMap<String, String>,
}

impl fmt::Debug for Endpoint {
    /// Omits the headers, and the path, which may contain a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("host", &self.host()).finish_non_exhaustive()
    }
}

impl Endpoint {
    /// Moves credentials in the URL into the `authorization` header, because HTTP libraries print URLs.
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
    /// Reads the variables with `get`; a blank one counts as unset.
    pub fn read(service: &str, get: &dyn Fn(&str) -> Option<String>) -> Self {
        let given = |name: &str| get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
        let headers = given(ENV_OTLP_HEADERS).map(|text| headers(&text)).unwrap_or_default();
        let base = given(ENV_OTLP_ENDPOINT);
        let endpoint = |own: &str, path: &str| {
            let from_base = || base.as_ref().map(|base| format!("{}/{path}", base.trim_end_matches('/')));
            given(own).or_else(from_base).map(|url| Endpoint::new(url, headers.clone()))
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

/// Parses `name=value,name=value`, values percent-encoded as in W3C Baggage. Skips anything else.
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
    fn one_endpoint_serves_both_signals_and_a_signals_own_takes_precedence() {
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
