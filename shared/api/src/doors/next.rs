//! Where a person goes on after signing in: a page of this server, never one of another site.

use axum::extract::Request;
use axum::http::Uri;
use axum::http::uri::PathAndQuery;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{DOCTYPE, Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::sign_in::PAGE;

/// Bytes of the longest address: sealed with the rest of a sign-in, it has to fit into a cookie.
const NEXT_BYTES: usize = 2_500;
/// Where people go on who asked for nothing in particular.
const FIRST: &str = "/";

/// `wanted` if it is the address of a page here, else that of the first page.
pub(super) fn local(wanted: Option<&str>) -> String {
    let is_local = |text: &&str| {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        let signs_in = text.starts_with("/login") || text.starts_with("/logout");
        text.starts_with('/') && !text.starts_with("//") && is_plain && !signs_in && text.len() <= NEXT_BYTES
    };
    wanted.filter(is_local).unwrap_or(FIRST).to_owned()
}

/// The address of the page to sign in, which leads on to `next`.
pub(super) fn sign_in_address(page: &str, next: &str) -> String {
    if next == FIRST {
        return page.to_owned();
    }
    format!("{page}?next={}", utf8_percent_encode(next, NON_ALPHANUMERIC))
}

/// The answer to a person whom nobody knows. Browsers leave a strict cookie out when a page of another site, such as a chat, led here: then the
/// same page is asked for once more, from here.
pub(super) fn way_in(request: &Request) -> Response {
    let next = local(request.uri().path_and_query().map(PathAndQuery::as_str));
    let site = request.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok());
    match site {
        Some("cross-site" | "same-site") => go_on(&next).into_response(),
        Some(_) | None => Redirect::to(&sign_in_address(PAGE, &next)).into_response(),
    }
}

/// A page that leads on by itself: unlike a redirect, that is not caused by another site.
pub(super) fn go_on(next: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; meta http-equiv="refresh" content={ "0; url=" (next) }; title { "One moment" } }
            body { main { p { a href=(next) { "Go on" } } } }
        }
    }
}

/// The address that a query or a form asks to go on with.
pub(super) fn wanted(query: &[u8]) -> String {
    let mut fields = url::form_urlencoded::parse(query);
    local(fields.find(|(name, _)| name == "next").map(|(_, next)| next).as_deref())
}

/// As [`wanted`], of a request's address.
pub(super) fn of(uri: &Uri) -> String {
    wanted(uri.query().unwrap_or_default().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_page_of_this_server_is_next() {
        for page in ["/", "/runs/run-1", "/approvals/run-1/restart%20pod?token=a.b"] {
            assert_eq!(local(Some(page)), page);
        }
        let long = format!("/{}", "a".repeat(NEXT_BYTES));
        let others = [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a b",
            "/a\r\nx: y",
            "/login",
            long.as_str(),
        ];
        for other in others {
            assert_eq!(local(Some(other)), FIRST, "{other:?}");
        }
    }

    #[test]
    fn an_address_survives_its_way_through_the_query() {
        let next = "/approvals/run-1/a%20b?token=a.b-c_d&x=1";
        let uri: Uri = sign_in_address(PAGE, next).parse().unwrap();
        assert_eq!(of(&uri), next);
        assert_eq!(sign_in_address(PAGE, FIRST), PAGE);
    }
}
