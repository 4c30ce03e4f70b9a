//! One POST, with bounds on time and size.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use heal_engine::text::{chain, one_line};
use heal_http::{Answer, Client, Options, TlsError};
use http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use http::{Request, StatusCode};
use percent_encoding::percent_decode_str;
use url::Url;

use super::SendError;

/// The time for one POST.
pub const TIMEOUT: Duration = Duration::from_secs(10);
const OPTIONS: Options = Options { body_bytes: ANSWER_BYTES, connect_time: TIMEOUT, idle: 2 };
/// Bytes of an answer that are read: the sentence that says what is wrong.
pub const ANSWER_BYTES: usize = 2_048;
/// The longest time that a channel may ask to wait.
pub const LONGEST_WAIT: Duration = Duration::from_mins(15);

/// Posts to the channels. It follows no redirect: a webhook that moved is for a person to correct.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client,
}

/// What is posted where.
#[derive(Clone)]
pub(crate) struct Post {
    /// May be a secret, so it is never printed.
    pub url: String,
    pub content_type: &'static str,
    /// Name and value.
    pub headers: Vec<(&'static str, String)>,
    pub body: String,
}

/// HTTP cannot be used on this machine.
#[derive(Debug, thiserror::Error)]
#[error("failed to set up HTTP for notifications")]
pub struct HttpError(#[source] TlsError);

impl Http {
    /// An HTTP client that trusts the machine's certificates.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> Result<Self, HttpError> {
        Ok(Self { client: Client::new(OPTIONS, false).map_err(HttpError)? })
    }

    /// Ok for an answer 2xx.
    pub(crate) async fn post(&self, post: Post) -> Result<(), SendError> {
        let (url, credentials) = split_credentials(&post.url);
        let request = Request::post(&url).header("content-type", post.content_type).body(post.body.into());
        // The URL may be a secret.
        let mut request = request.map_err(|_| SendError::Refused { detail: "the address is not a URL".to_owned() })?;
        for (name, value) in post.headers.into_iter().chain(credentials.map(|value| ("authorization", value))) {
            let wrong = || SendError::Refused { detail: format!("the value of header {name} is not legal") };
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            request.headers_mut().append(HeaderName::from_static(name), value);
        }
        let unavailable = |detail| SendError::Unavailable { detail, retry_after: None };
        let answer = tokio::time::timeout(TIMEOUT, self.client.send(request)).await;
        let answer = answer.map_err(|_| unavailable(format!("no answer within {} s", TIMEOUT.as_secs())))?;
        let answer = answer.map_err(|error| unavailable(chain(&error)))?;
        let status = answer.status;
        if status.is_success() {
            return Ok(());
        }
        let retry_after = retry_after(&answer);
        let detail = format!("answered {status}: {}", one_line(&String::from_utf8_lossy(&answer.body)));
        Err(if may_pass(status) {
            SendError::Unavailable { detail, retry_after }
        } else {
            SendError::Refused { detail }
        })
    }
}

/// The URL without its user and password, and these as a header's value.
fn split_credentials(text: &str) -> (String, Option<String>) {
    let Ok(mut url) = Url::parse(text) else { return (text.to_owned(), None) };
    if url.username().is_empty() && url.password().is_none() {
        return (text.to_owned(), None);
    }
    let decode = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
    let credentials = format!("{}:{}", decode(url.username()), decode(url.password().unwrap_or_default()));
    // Fails only for a URL without a host, which no request can be made of.
    let _ = (url.set_username(""), url.set_password(None));
    (url.into(), Some(format!("Basic {}", STANDARD.encode(credentials))))
}

/// Whether the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || passing.contains(&status)
}

/// `Retry-After` in seconds, at most [`LONGEST_WAIT`]; its form as a date is ignored, since clocks differ.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let text = answer.headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_and_a_password_of_a_url_become_a_header() {
        let split = |url| split_credentials(url);
        assert_eq!(split("https://a.example/x?y=1"), ("https://a.example/x?y=1".to_owned(), None));
        let basic = Some("Basic dTpwQHc=".to_owned());
        assert_eq!(split("https://u:p%40w@a.example/x"), ("https://a.example/x".to_owned(), basic));
    }
}
