//! One POST, with bounds on time and size.

use std::time::Duration;

use heal_engine::text::one_line;
use reqwest::header::{HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};

use super::SendError;

/// The time for one POST.
pub const TIMEOUT: Duration = Duration::from_secs(10);
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
pub struct HttpError(#[source] reqwest::Error);

impl Http {
    /// An HTTP client that trusts the machine's certificates.
    ///
    /// # Errors
    /// TLS cannot be set up.
    pub fn new() -> Result<Self, HttpError> {
        let client = Client::builder().timeout(TIMEOUT).redirect(Policy::none()).user_agent("heal").build();
        Ok(Self { client: client.map_err(HttpError)? })
    }

    /// Ok for an answer 2xx.
    pub(crate) async fn post(&self, post: Post) -> Result<(), SendError> {
        let mut request = self.client.post(&post.url).header("content-type", post.content_type).body(post.body);
        for (name, value) in post.headers {
            let wrong = || SendError::Refused { detail: format!("the value of header {name} is not legal") };
            let mut value = HeaderValue::from_str(&value).map_err(|_| wrong())?;
            value.set_sensitive(true);
            request = request.header(HeaderName::from_static(name), value);
        }
        let answer = match request.send().await {
            Ok(answer) => answer,
            // The URL may be a secret.
            Err(error) => return Err(failed(&error.without_url())),
        };
        let status = answer.status();
        if status.is_success() {
            return Ok(());
        }
        let retry_after = retry_after(&answer);
        let detail = format!("answered {status}: {}", one_line(&said(answer).await));
        Err(if may_pass(status) {
            SendError::Unavailable { detail, retry_after }
        } else {
            SendError::Refused { detail }
        })
    }
}

fn failed(error: &reqwest::Error) -> SendError {
    let detail = heal_engine::text::chain(error);
    if error.is_builder() {
        return SendError::Refused { detail };
    }
    SendError::Unavailable { detail, retry_after: None }
}

/// Whether the same request may succeed later.
fn may_pass(status: StatusCode) -> bool {
    let passing = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    status.is_server_error() || passing.contains(&status)
}

/// `Retry-After` in seconds, at most [`LONGEST_WAIT`]; its form as a date is ignored, since clocks differ.
fn retry_after(answer: &Response) -> Option<Duration> {
    let text = answer.headers().get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: u64 = text.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

/// The beginning of the answer's body; empty if it cannot be read.
async fn said(mut answer: Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = ANSWER_BYTES - bytes.len();
        bytes.extend(chunk.iter().take(room));
        if bytes.len() >= ANSWER_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
