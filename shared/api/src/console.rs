//! The console: pages for people over the same reads and changes as the API, from the same router.
//!
//! Pages are made here and are whole without a script; the script only shows times in the reader's zone, follows a run, and sends changes
//! as JSON to the API, which decides who may make them. Nothing is loaded from another host.
//!
//! `page` has what all pages share; each page has a file of its own. `graph` lays out playbooks, `timeline` draws a run over time.

mod approval;
mod assets;
mod graph;
mod guardrails;
mod home;
mod now;
mod page;
mod playbooks;
mod question;
mod run;
mod runs;
mod steps;
mod timeline;

use std::sync::Arc;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use heal_engine::text::printable;
use maud::html;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::problem::Problem;
use crate::request::Service;

/// What stays as it is in a path or a query.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b':');

/// The paths of the pages and of their files; the doors have a line for each.
#[cfg(test)]
pub(crate) const PATHS: [&str; 14] = [
    "/",
    "/now",
    "/runs",
    "/runs/{id}",
    "/runs/{id}/news",
    "/approvals/{id}",
    "/approvals/{id}/{step}",
    "/incidents/new",
    "/playbooks",
    "/playbooks/{name}",
    "/checks",
    "/guardrails",
    "/dead-letters",
    "/assets/{file}",
];

/// The pages and their files.
pub(crate) fn router() -> Router<Arc<Service>> {
    Router::new()
        .route("/", get(now::now))
        .route("/now", get(now::news))
        .route("/runs", get(runs::list))
        .route("/runs/{id}", get(run::whole))
        .route("/runs/{id}/news", get(run::news))
        .route("/approvals/{id}", get(approval::asked))
        .route("/approvals/{id}/{step}", get(approval::asked))
        .route("/incidents/new", get(home::new_incident))
        .route("/playbooks", get(playbooks::list))
        .route("/playbooks/{name}", get(playbooks::one))
        .route("/checks", get(home::checks))
        .route("/guardrails", get(guardrails::guardrails))
        .route("/dead-letters", get(home::dead_letters))
        .route("/assets/{file}", get(assets::file))
}

/// A text as a part of an address.
fn query(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// A refusal as a page.
#[derive(Debug)]
struct Shown(Problem);

impl<E: Into<Problem>> From<E> for Shown {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Shown {
    fn into_response(self) -> Response {
        let (status, text) = (self.0.status(), self.0.message().to_owned());
        let title = status.canonical_reason().unwrap_or("This did not work");
        let content = html! { p { (printable(&text)) } p { a href="/" { "Back to what is going on now" } } };
        (status, page::page(title, "", &page::Frame::default(), &content)).into_response()
    }
}
