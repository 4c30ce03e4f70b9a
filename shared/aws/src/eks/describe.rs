//! `DescribeCluster`: one signed request, without the SDK's client for EKS.

use std::time::SystemTime;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use heal_http::Client;
use serde::Deserialize;
use tokio::time::timeout;
use url::Url;

use super::ClusterName;
use crate::error::{Error, ErrorAnswer};
use crate::limit::{ATTEMPT_TIMEOUT, MAX_ATTEMPTS, MAX_DESCRIPTION_BYTES, OPERATION_TIMEOUT};
use crate::session::{Service, Session};
use crate::sign::{self, Scope};
use crate::text::{chain, one_line};

/// A cluster's endpoint and root certificates.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// URL of the Kubernetes API.
    pub endpoint: String,
    /// The certificates that verify its server, PEM.
    pub authority_pem: String,
}

/// Describes a cluster. Retries once, at once, after a transient error.
///
/// # Errors
/// [`Error::Invalid`]: the configured endpoint is not a URL. [`Error::Unusable`]: also while the cluster is being created. Any other
/// error of the call.
pub async fn describe(session: &Session, name: &ClusterName) -> Result<Cluster, Error> {
    let what = format!("EKS cluster {name}");
    let mut url = session.endpoint(Service::Eks)?;
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(["clusters", name.as_str()]);
    }
    let client = session.http().client(url.scheme());
    let client = client.map_err(|error| Error::Unusable { what: "HTTP client".to_owned(), problem: chain(&error) })?;
    let tries = async {
        let mut tries = 1;
        loop {
            match ask(client, session, &url, &what).await {
                Err(error) if error.is_transient() && tries < MAX_ATTEMPTS => {
                    tracing::info!(%error, "eks.asked_again");
                    tries += 1;
                }
                answer => return answer,
            }
        }
    };
    let Ok(answer) = timeout(OPERATION_TIMEOUT, tries).await else {
        let problem = format!("no answer within {} ms", OPERATION_TIMEOUT.as_millis());
        return Err(Error::Unavailable { what, problem });
    };
    read(&what, &answer?)
}

/// Makes the request, and returns the body of a successful answer.
async fn ask(client: &Client, session: &Session, url: &Url, what: &str) -> Result<Bytes, Error> {
    let lost = |problem: String| Error::Unavailable { what: what.to_owned(), problem };
    let mut request = http::Request::get(url.as_str())
        .body(())
        .map_err(|error| Error::Unusable { what: what.to_owned(), problem: error.to_string() })?;
    #[expect(clippy::disallowed_methods, reason = "a signature carries the wall time")]
    let scope = Scope {
        credentials: session.credentials().await?,
        region: session.region(),
        service: Service::Eks.prefix(),
        at: SystemTime::now(),
    };
    sign::headers(&mut request, scope)?;
    let call = client.send_reading(request.map(|()| Bytes::new()), MAX_DESCRIPTION_BYTES);
    let late = |_| lost(format!("no answer within {} ms", ATTEMPT_TIMEOUT.as_millis()));
    let answer = timeout(ATTEMPT_TIMEOUT, call).await.map_err(late)?.map_err(|error| lost(chain(&error)))?;
    let (status, body) = (answer.status, answer.body);
    let code = answer
        .headers
        .get("x-amzn-errortype")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split(':').next())
        .map(str::to_owned);
    if answer.is_cut {
        let problem = format!("the answer has more than {MAX_DESCRIPTION_BYTES} bytes");
        return Err(Error::Unusable { what: what.to_owned(), problem });
    }
    if status.is_success() {
        return Ok(body);
    }
    let message = serde_json::from_slice::<ErrorBody>(&body).ok().and_then(|body| body.message);
    let fault = ErrorAnswer { status: status.as_u16(), code: code.as_deref(), message: message.as_deref() };
    Err(Error::from_answer(what.to_owned(), &fault))
}

/// An error's body (EKS is a `restJson1` service).
#[derive(Deserialize)]
struct ErrorBody {
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Deserialize)]
struct Answer {
    cluster: Described,
}

/// The fields of EKS's `Cluster` that are used. A cluster that is being created lacks some.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    status: Option<String>,
    endpoint: Option<String>,
    certificate_authority: Option<Authority>,
}

#[derive(Deserialize)]
struct Authority {
    data: Option<String>,
}

fn read(what: &str, body: &[u8]) -> Result<Cluster, Error> {
    let unusable = |problem: String| Error::Unusable { what: what.to_owned(), problem };
    let answer: Answer = serde_json::from_slice(body)
        .map_err(|error| unusable(format!("failed to parse the answer: {}", one_line(&error.to_string()))))?;
    let status = one_line(answer.cluster.status.as_deref().unwrap_or("unknown"));
    let missing = |field: &str| unusable(format!("its description lacks {field} (status {status})"));
    let endpoint = answer.cluster.endpoint.filter(|url| !url.is_empty()).ok_or_else(|| missing("endpoint"))?;
    let field = "certificateAuthority.data";
    let data = answer.cluster.certificate_authority.and_then(|it| it.data).ok_or_else(|| missing(field))?;
    let bytes = STANDARD.decode(data).map_err(|error| unusable(format!("{field} is not base64: {error}")))?;
    let authority_pem = String::from_utf8(bytes).map_err(|_| unusable(format!("{field} is not UTF-8")))?;
    Ok(Cluster { endpoint, authority_pem })
}
