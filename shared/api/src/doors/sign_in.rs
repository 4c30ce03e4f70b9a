//! `/login` and `/logout`: people sign in with a browser, by an API token or at the OIDC issuer.
//!
//! At the issuer it is the authorization code flow with PKCE, `state` and `nonce`. What this server has to remember until the person comes
//! back is sealed into a cookie of its own, so it keeps no table that others could fill.

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};
use serde::Deserialize;

use super::Doors;
use super::identify::{SESSION, SESSION_PURPOSE, cookie};
use super::next::{self, sign_in_address};
use super::refusal::{Reason, Refusal};
use super::session::{SESSION_MS, SIGN_IN_MS, Session, SignIn};
use crate::caller::Caller;

mod code;

/// The cookie of a sign-in that has begun.
const SIGN_IN: &str = "heal_sign_in";
/// What its text is sealed for.
const SIGN_IN_PURPOSE: &str = "sign-in";
/// Where people sign in.
pub(super) const PAGE: &str = "/login";
const BY_TOKEN: &str = "/login/token";
/// Where the issuer sends people back.
pub(super) const CALLBACK: &str = "/login/callback";

/// What the issuer sends people back with.
#[derive(Debug, Deserialize)]
struct Callback {
    code: Option<String>,
    state: Option<String>,
    error: Option<String>,
}

pub(super) fn routes() -> Router<Arc<Doors>> {
    Router::new()
        .route(PAGE, get(page))
        .route(BY_TOKEN, axum::routing::post(by_token))
        .route("/login/oidc", get(begin))
        .route(CALLBACK, get(end))
        .route("/logout", axum::routing::post(sign_out))
}

async fn page(State(doors): State<Arc<Doors>>, uri: Uri) -> Markup {
    doors.login_page(None, &next::of(&uri))
}

/// A sealed session for whoever has the token. The form is taken from our own pages only.
async fn by_token(State(doors): State<Arc<Doors>>, body: Bytes) -> Response {
    let field = url::form_urlencoded::parse(&body).find(|(name, _)| name == "token");
    let token = field.map(|(_, token)| token.into_owned()).unwrap_or_default();
    let next = next::wanted(&body);
    let now = doors.clock.now();
    let tokens = doors.tokens.as_ref().map(|file| file.tokens(now)).unwrap_or_default();
    let Some(entry) = tokens.find(token.trim()).filter(|entry| now < entry.expires) else {
        return doors.refuse("this API token is unknown, expired or revoked", &next);
    };
    let identity = format!("token:{}", entry.name);
    let until = now.plus_ms(SESSION_MS).min(entry.expires);
    let session = Session { identity, role: entry.role, sha256: Some(entry.sha256.clone()), until };
    doors.with_session(&session, Redirect::to(&next).into_response())
}

/// Sends the person to the issuer.
async fn begin(State(doors): State<Arc<Doors>>, uri: Uri) -> Response {
    let next = next::of(&uri);
    match doors.begin_sign_in(next.clone()).await {
        Ok((url, sign_in)) => {
            let Some(sealed) = doors.sealer.seal(SIGN_IN_PURPOSE, &sign_in) else {
                return doors.refuse("the sign-in cannot begin", &next);
            };
            // The issuer's page leads back here, and browsers keep strict cookies from a request that another site caused.
            let cookie = doors.cookie(SIGN_IN, &sealed, SIGN_IN_MS, "Lax");
            with_cookie(Redirect::to(&url).into_response(), &cookie)
        }
        Err(detail) => doors.refuse(&detail, &next),
    }
}

/// Takes the person back from the issuer.
async fn end(State(doors): State<Arc<Doors>>, headers: HeaderMap, Query(callback): Query<Callback>) -> Response {
    let begun = cookie(&headers, SIGN_IN).and_then(|text| doors.sealer.open::<SignIn>(SIGN_IN_PURPOSE, text));
    let Some(begun) = begun.filter(|begun| doors.clock.now() < begun.until) else {
        return doors.refuse("no sign-in has begun in this browser within the last 10 minutes", &next::local(None));
    };
    let next = begun.next.clone();
    if callback.state.as_deref() != Some(begun.state.as_str()) {
        return doors.refuse("the issuer's answer is not for the sign-in that began in this browser", &next);
    }
    let code = match (callback.code, callback.error) {
        (Some(code), None) => code,
        (_, Some(_)) => return doors.refuse("the issuer refused the sign-in", &next),
        (None, None) => return doors.refuse("the issuer's answer has no code", &next),
    };
    match doors.end_sign_in(code, begun).await {
        Ok(Caller { identity, role }) => {
            let until = doors.clock.now().plus_ms(SESSION_MS);
            let session = Session { identity, role, sha256: None, until };
            // A redirect would still count as caused by the issuer's page, and the browser would leave the new cookie out.
            let response = doors.with_session(&session, next::go_on(&next).into_response());
            with_cookie(response, &doors.cookie(SIGN_IN, "", 0, "Lax"))
        }
        Err(detail) => doors.refuse(&detail, &next),
    }
}

async fn sign_out(State(doors): State<Arc<Doors>>) -> Response {
    with_cookie(Redirect::to(PAGE).into_response(), &doors.cookie(SESSION, "", 0, "Strict"))
}

impl Doors {
    fn with_session(&self, session: &Session, response: Response) -> Response {
        match self.sealer.seal(SESSION_PURPOSE, session) {
            Some(sealed) => with_cookie(response, &self.cookie(SESSION, &sealed, SESSION_MS, "Strict")),
            None => self.refuse("the session is too large for a cookie", &next::local(None)),
        }
    }

    fn cookie(&self, name: &str, value: &str, life_ms: u64, same_site: &str) -> String {
        let secure = if self.browser.is_secure() { "; Secure" } else { "" };
        format!("{name}={value}; Path=/; Max-Age={}; HttpOnly; SameSite={same_site}{secure}", life_ms / 1_000)
    }

    /// The page once more, with the reason; counted as wrong credentials.
    fn refuse(&self, message: &str, next: &str) -> Response {
        let refusal = Refusal::new(Reason::Credentials, message);
        self.refusals.note(refusal.reason, &refusal.message);
        (StatusCode::UNAUTHORIZED, self.login_page(Some(message), next)).into_response()
    }

    fn login_page(&self, fault: Option<&str>, next: &str) -> Markup {
        document(&html! {
            h1 { "Sign in" }
            @if let Some(fault) = fault { p role="alert" { (fault) } }
            @if self.is_trial { p { "No identities are configured, so everybody may do everything here. " a href=(next) { "Go on" } } }
            @if self.issuer.as_ref().is_some_and(|issuer| issuer.client().is_some()) {
                p { a href=(sign_in_address("/login/oidc", next)) { "Sign in with your organisation" } }
            }
            @if self.tokens.is_some() {
                form method="post" action=(BY_TOKEN) {
                    input type="hidden" name="next" value=(next);
                    label for="token" { "API token" } " "
                    input id="token" name="token" type="password" autocomplete="off" required;
                    " " button type="submit" { "Sign in" }
                }
            }
        })
    }
}

fn document(content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Sign in" }
                link rel="stylesheet" href="/assets/heal.css";
            }
            body { main { (content) } }
        }
    }
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
    response
}
