//! The parts of a request as the handlers take them; what does not fit is refused as a [`Problem`].

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use heal_engine::RunId;
use serde::de::DeserializeOwned;

use crate::caller::Caller;
use crate::problem::Problem;
use crate::request::{json_text, run_id};

/// Longest text that a path names something by, in bytes.
const NAME_BYTES: usize = 512;

/// The doors identify a caller before a handler sees the request; a request that passed no door is refused.
impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let message = "nobody is identified as the caller; send a bearer token, or sign the request";
        parts.extensions.get().cloned().ok_or_else(|| Problem::new(StatusCode::UNAUTHORIZED, message))
    }
}

/// The run that the path names. That it exists is not checked.
#[derive(Debug)]
pub(crate) struct RunPath(pub RunId);

impl<S: Send + Sync> FromRequestParts<S> for RunPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let NamePath(id) = NamePath::from_request_parts(parts, state).await?;
        run_id(&id).map(Self)
    }
}

/// The one name in the path.
#[derive(Debug)]
pub(crate) struct NamePath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for NamePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::<String>::from_request_parts(parts, state).await {
            Ok(Path(name)) if name.len() <= NAME_BYTES => Ok(Self(name)),
            Ok(_) => Err(Problem::not_found(format!("a name in a path has at most {NAME_BYTES} bytes"))),
            Err(rejection) => Err(Problem::not_found(rejection.body_text())),
        }
    }
}

/// The query of a request.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Query::<T>::from_request_parts(parts, state).await {
            Ok(Query(parameters)) => Ok(Self(parameters)),
            Err(rejection) => {
                let text = rejection.body_text();
                let text = text.strip_prefix("Failed to deserialize query string: ").unwrap_or(&text);
                match text.split_once(": ") {
                    Some((name, message)) if !name.contains(' ') => Err(Problem::field(name, message)),
                    Some(_) | None => Err(Problem::field("query", text)),
                }
            }
        }
    }
}

/// A JSON body. Only JSON changes anything: a web page can make a browser post a form to this address, but not JSON.
#[derive(Debug)]
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let JsonText(text) = JsonText::from_request(request, state).await?;
        parse(&text).map(Self)
    }
}

/// A JSON body as text, for messages that are kept as they came.
#[derive(Debug)]
pub(crate) struct JsonText(pub String);

impl<S: Send + Sync> FromRequest<S> for JsonText {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        json_text(&headers, Bytes::from_request(request, state).await).map(Self)
    }
}

/// A JSON body that may be missing.
#[derive(Debug)]
pub(crate) struct OptionalBody<T>(pub T);

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let headers = request.headers().clone();
        let body = Bytes::from_request(request, state).await;
        if body.as_ref().is_ok_and(Bytes::is_empty) {
            return Ok(Self(T::default()));
        }
        parse(&json_text(&headers, body)?).map(Self)
    }
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    serde_json::from_str(text).map_err(|error| {
        let message = error.to_string();
        // `missing field `reason` at line 1 column 2`, `unknown field `x`, expected …`
        let named = message.split('`').nth(1).filter(|_| message.contains("field `")).map(ToOwned::to_owned);
        Problem::field(named.as_deref().unwrap_or("body"), message)
    })
}

/// A text that people write: neither blank nor longer than a run's log takes.
///
/// # Errors
/// 422 for `field`.
pub(crate) fn text(field: &str, text: &str) -> Result<String, Problem> {
    let (text, limit) = (text.trim(), heal_engine::limit::TEXT_BYTES);
    if text.is_empty() {
        return Err(Problem::field(field, "is empty, expected a text: whoever reads the record later wants to know"));
    }
    if text.len() > limit {
        return Err(Problem::field(field, format!("has {} bytes, the limit is {limit} bytes", text.len())));
    }
    Ok(text.to_owned())
}
