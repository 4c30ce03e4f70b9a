//! Finds the setting that is wrong if the service does not know a route: the URL's prefix, or the dialect.

use super::SERVICE;
use super::client::Client;
use super::dialect::{self, WireList};
use super::exchange::reading;
use super::path;
use crate::call::CallContext;
use crate::config::{BaseUrl, Dialect, ENV_TICKETS_API, ENV_TICKETS_URL};
use crate::error::{Error, Misconfiguration, one_line};
use crate::http::{Answer, Request};

/// Where the service's routes are, as deployed today.
const USUAL_PREFIX: &str = "/api/v1";

/// A ticket that does not exist: a route is known or unknown whichever ticket it names.
const NO_TICKET: &str = "heal-dialect-probe";

/// Whether the service's router, or a proxy before it, answered that there is no such route; its own "ticket not found" is another text.
pub(super) fn is_unknown_route(answer: &Answer) -> bool {
    let is_page = answer.content_type.as_deref().is_some_and(|kind| kind.trim_start().starts_with("text/html"));
    let body = answer.body.as_deref().unwrap_or_default();
    let detail = || serde_json::from_slice::<serde_json::Value>(body).ok()?.get("detail")?.as_str().map(str::to_owned);
    // The text of FastAPI's router.
    answer.status == 404 && (is_page || detail().as_deref() == Some("Not Found"))
}

impl Client {
    /// Checks that the service has the routes of the configured dialect under the configured URL. Changes nothing.
    ///
    /// # Errors
    /// `Misconfigured` with the variable to correct; `Refused` or `Unavailable` if the service does not answer with a list of tickets. A
    /// service whose router does not tell a wrong method from an unknown route passes.
    pub async fn check_dialect(&self, context: &CallContext) -> Result<(), Error> {
        let route = dialect::list(self.dialect);
        let mut url = path::url(&self.base, route)?;
        url.query_pairs_mut().append_pair("limit", "1");
        let request = reading("check_dialect", url);
        let answer = self.http.exchange_following(&request, context).await?;
        if is_unknown_route(&answer) {
            return Err(self.wrong_url(&request, route, context).await);
        }
        self.http.judge(&request).json::<WireList>(answer)?;
        let other = dialect::other(self.dialect);
        if self.has_route_of(self.dialect, context).await == Some(false)
            && self.has_route_of(other, context).await == Some(true)
        {
            let (own, has) = (dialect::reallocation_subpath(self.dialect), dialect::reallocation_subpath(other));
            let base = &self.base;
            let observed = format!("{base} has the route /tickets/{{id}}/{has} and no /tickets/{{id}}/{own}");
            return Err(self.other_dialect("check_dialect", &observed, true));
        }
        Ok(())
    }

    /// The error of a reading `request` whose route below the base URL is unknown to the service. Tries the same route once under the prefix
    /// that is likely meant.
    pub(super) async fn wrong_url(&self, request: &Request, route: &[&str], context: &CallContext) -> Error {
        let base = self.base.as_str();
        let likely = match base.strip_suffix(USUAL_PREFIX) {
            Some(without) => without.to_owned(),
            None => format!("{base}{USUAL_PREFIX}"),
        };
        let is_there = match BaseUrl::parse(&likely).ok().and_then(|likely| path::url(&likely, route).ok()) {
            Some(url) => match self.http.exchange(&reading(request.operation, url), context).await {
                // A redirect, or a ticket that does not exist, is the answer of a route too.
                Ok(answer) => matches!(answer.status, 200..=399 | 404) && !is_unknown_route(&answer),
                Err(_) => false,
            },
            None => false,
        };
        let route = bare(&request.url);
        let (observed, expected) = if is_there {
            (format!("no route {route}, but the same route under {likely}"), format!("{ENV_TICKETS_URL}={likely}"))
        } else {
            let expected = format!(
                "the URL of a ticket service, with what precedes /tickets in its paths, such as {USUAL_PREFIX}"
            );
            (format!("no route {route} (404)"), expected)
        };
        misconfigured(request.operation, ENV_TICKETS_URL, &observed, expected)
    }

    /// The error of a changing `request` that was answered with 404 or 405 (`status`) although the ticket exists; `None` if it does not exist
    /// or cannot be read.
    pub(super) async fn wrong_dialect(
        &self,
        request: &Request,
        ticket_id: &str,
        status: u16,
        context: &CallContext,
    ) -> Option<Error> {
        match self.fetch(ticket_id, context).await {
            Ok(_) => {
                let is_other = self.has_route_of(dialect::other(self.dialect), context).await == Some(true);
                let observed =
                    format!("{status} for {} {}, though the ticket exists", request.method, bare(&request.url));
                Some(self.other_dialect(request.operation, &observed, is_other))
            }
            Err(error @ Error::Misconfigured(_)) => Some(error),
            Err(Error::Invalid { .. } | Error::Refused(_) | Error::Unavailable(_)) => None,
        }
    }

    /// Whether the service has the route by which `dialect` reallocates; `None` if its answer does not tell. The route is read, which it does
    /// not allow: a router that knows the path answers 405.
    async fn has_route_of(&self, dialect: Dialect, context: &CallContext) -> Option<bool> {
        let route = ["tickets", NO_TICKET, dialect::reallocation_subpath(dialect)];
        let request = reading("check_dialect", path::url(&self.base, &route).ok()?);
        let answer = self.http.exchange(&request, context).await.ok()?;
        match answer.status {
            405 => Some(true),
            404 if is_unknown_route(&answer) => Some(false),
            _ => None,
        }
    }

    /// `is_other` says that the service has the other dialect's route.
    fn other_dialect(&self, operation: &'static str, observed: &str, is_other: bool) -> Error {
        let (own, other) = (dialect::name(self.dialect), dialect::name(dialect::other(self.dialect)));
        let expected = if is_other {
            format!("{ENV_TICKETS_API}={other} (it is {own})")
        } else {
            format!("the routes of {ENV_TICKETS_API}={own}; the other dialect is {other}")
        };
        misconfigured(operation, ENV_TICKETS_API, observed, expected)
    }
}

fn misconfigured(operation: &'static str, variable: &'static str, observed: &str, expected: String) -> Error {
    let observed = one_line(observed);
    Error::Misconfigured(Misconfiguration { service: SERVICE, operation, variable, observed, expected })
}

/// A URL without its query.
fn bare(url: &url::Url) -> String {
    url.as_str().split('?').next().unwrap_or_default().to_owned()
}
