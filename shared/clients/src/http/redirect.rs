//! One redirect of a reading call, on the same origin: frameworks redirect between a path with and without its last slash.

use http::Method;
use url::Url;

use super::{Answer, Http, Request};
use crate::call::CallContext;
use crate::error::Error;

impl Http {
    /// As [`Http::exchange`], and follows one redirect of a GET on the same origin.
    ///
    /// # Errors
    /// As [`Http::exchange`], and `Refused` of kind `Redirect` for a redirect to another origin, without a location, or a second one.
    pub(crate) async fn exchange_following(&self, request: &Request, context: &CallContext) -> Result<Answer, Error> {
        let answer = self.exchange(request, context).await?;
        if !is_redirect(answer.status) || request.method != Method::GET {
            return Ok(answer);
        }
        let check = self.judge(request);
        let url = target(&request.url, answer.location.as_deref())
            .map_err(|problem| check.redirected(answer.status, &problem))?;
        let Request { operation, at_stake, .. } = *request;
        let redirected = Request { operation, method: Method::GET, url, body: None, at_stake };
        let answer = self.exchange(&redirected, context).await?;
        if is_redirect(answer.status) {
            let place = answer.location.as_deref().unwrap_or("nowhere");
            let problem = format!("redirected a second time, to {place}; one redirect is followed");
            return Err(check.redirected(answer.status, &problem));
        }
        Ok(answer)
    }
}

const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// Where a redirect from `from` leads.
///
/// # Errors
/// Why it is not followed.
fn target(from: &Url, location: Option<&str>) -> Result<Url, String> {
    let location = location.ok_or_else(|| "redirected without a location".to_owned())?;
    let mut url = from.join(location).map_err(|error| format!("redirected to {location:?}: {error}"))?;
    let (origin, own) = (url.origin(), from.origin());
    if origin != own || !url.username().is_empty() || url.password().is_some() {
        let (origin, own) = (origin.ascii_serialization(), own.ascii_serialization());
        return Err(format!("redirected to {origin}, which is not followed: expected a redirect within {own}"));
    }
    url.set_fragment(None);
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_location_on_the_same_origin_is_followed() {
        let from = Url::parse("http://ets:8000/api/v1/tickets?limit=1").unwrap();
        for (location, followed) in [
            ("http://ets:8000/api/v1/tickets/?limit=1", Some("http://ets:8000/api/v1/tickets/?limit=1")),
            ("/api/v1/tickets/#top", Some("http://ets:8000/api/v1/tickets/")),
            ("tickets/", Some("http://ets:8000/api/v1/tickets/")),
            ("https://ets:8000/api/v1/tickets/", None),
            ("http://ets:8001/api/v1/tickets/", None),
            ("//elsewhere/tickets/", None),
            ("http://user:secret@ets:8000/tickets/", None),
            ("http://[", None),
        ] {
            assert_eq!(target(&from, Some(location)).ok().as_ref().map(Url::as_str), followed, "{location}");
        }
        assert!(target(&from, None).is_err());
    }
}
