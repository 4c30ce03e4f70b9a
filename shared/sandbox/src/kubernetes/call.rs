//! Reads which call of the API a request is.

use http::Method;
use percent_encoding::percent_decode_str;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PodCall {
    List { namespace: String },
    Get { namespace: String, name: String },
    Delete { namespace: String, name: String },
    Version,
    Ready,
    NotFound,
    MethodNotAllowed,
}

impl PodCall {
    pub(super) fn read(method: &Method, path: &str) -> Self {
        let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
        let decoded = |segment: &str| percent_decode_str(segment).decode_utf8_lossy().into_owned();
        match (segments.as_slice(), method) {
            (["version"], &Method::GET) => Self::Version,
            (["readyz"], &Method::GET) => Self::Ready,
            (["api", "v1", "namespaces", namespace, "pods"], &Method::GET) => {
                Self::List { namespace: decoded(namespace) }
            }
            (["api", "v1", "namespaces", namespace, "pods", name], &Method::GET) => {
                Self::Get { namespace: decoded(namespace), name: decoded(name) }
            }
            (["api", "v1", "namespaces", namespace, "pods", name], &Method::DELETE) => {
                Self::Delete { namespace: decoded(namespace), name: decoded(name) }
            }
            (["version" | "readyz"] | ["api", "v1", "namespaces", _, "pods", ..], _) if segments.len() <= 6 => {
                Self::MethodNotAllowed
            }
            _ => Self::NotFound,
        }
    }

    /// The name in faults and in the journal.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::List { .. } => "list_pods",
            Self::Get { .. } => "get_pod",
            Self::Delete { .. } => "delete_pod",
            Self::Version => "version",
            Self::Ready => "readyz",
            Self::NotFound | Self::MethodNotAllowed => "unknown",
        }
    }

    /// `namespace/pod`, or the namespace of a list.
    pub(super) fn target(&self) -> String {
        match self {
            Self::List { namespace } => namespace.clone(),
            Self::Get { namespace, name } | Self::Delete { namespace, name } => {
                format!("{namespace}/{name}")
            }
            Self::Version | Self::Ready | Self::NotFound | Self::MethodNotAllowed => String::new(),
        }
    }
}
