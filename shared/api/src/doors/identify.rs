//! Finds the caller of a request: by a bearer token, or by the session of a signed-in browser.

use axum::http::{HeaderMap, header};

use super::refusal::{Reason, Refusal};
use super::session::Session;
use super::{Doors, token};
use crate::caller::Caller;

/// The cookie of a session.
pub(super) const SESSION: &str = "heal_session";
/// What its text is sealed for.
pub(super) const SESSION_PURPOSE: &str = "session";

impl Doors {
    /// The caller; `None` if the request has no credentials. Wrong credentials are refused where somebody has to be known.
    pub(super) async fn identify(
        &self,
        headers: &HeaderMap,
        must_know: bool,
        path: &str,
    ) -> Result<Option<Caller>, Refusal> {
        let Some(credentials) = headers.get(header::AUTHORIZATION) else {
            return Ok(self.session(headers, path).or_else(|| self.trial_caller()));
        };
        if !must_know {
            return Ok(None);
        }
        let text = credentials.to_str().unwrap_or_default();
        let bearer = text.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, bearer)) = bearer else {
            return Err(Refusal::new(Reason::Credentials, "the header `authorization` is not `Bearer TOKEN`"));
        };
        // On a trial a token is as good as none: nobody could tell a right one from a wrong one.
        if let Some(caller) = self.trial_caller() {
            return Ok(Some(caller));
        }
        if bearer.starts_with(token::PREFIX) { self.by_token(bearer, path) } else { self.by_issuer(bearer).await }
            .map(Some)
    }

    /// The caller with this API token.
    pub(super) fn by_token(&self, text: &str, path: &str) -> Result<Caller, Refusal> {
        let refused = |message: String| Err(Refusal::new(Reason::Credentials, message));
        let now = self.clock.now();
        let tokens = self.tokens.as_ref().map(|file| file.tokens(now)).unwrap_or_default();
        let Some(entry) = tokens.find(text) else {
            return refused("the API token is unknown, or it was revoked".to_owned());
        };
        if now >= entry.expires {
            return refused(format!(
                "the API token `{}` has expired; `heal token create` makes another one",
                entry.name
            ));
        }
        if !entry.covers(path) {
            let prefix = entry.path.as_deref().unwrap_or_default();
            let message = format!("the API token `{}` is for paths that start with `{prefix}`", entry.name);
            return Err(Refusal::new(Reason::Role, message));
        }
        Ok(Caller { identity: format!("token:{}", entry.name), role: entry.role })
    }

    async fn by_issuer(&self, text: &str) -> Result<Caller, Refusal> {
        let refused = |message: String| Refusal::new(Reason::Credentials, message);
        let Some(issuer) = &self.issuer else {
            return Err(refused("the token is not an API token, and no OIDC issuer is configured".to_owned()));
        };
        let claims = issuer.verify(text, None).await.map_err(|error| refused(error.to_string()))?;
        let identity = issuer.identity(&claims).map_err(|error| refused(error.to_string()))?;
        let role = issuer.role(&claims).ok_or_else(|| {
            Refusal::new(
                Reason::Role,
                format!("no value of the claim `{}` of {identity} has a role", issuer.role_claim()),
            )
        })?;
        Ok(Caller { identity, role })
    }

    /// The caller of a browser that is signed in.
    fn session(&self, headers: &HeaderMap, path: &str) -> Option<Caller> {
        let session: Session = self.sealer.open(SESSION_PURPOSE, cookie(headers, SESSION)?)?;
        let now = self.clock.now();
        if now >= session.until {
            return None;
        }
        if let Some(sha256) = &session.sha256 {
            // The session ends with its token, and can no more than it.
            let tokens = self.tokens.as_ref()?.tokens(now);
            let entry = tokens.tokens.iter().find(|entry| entry.sha256 == *sha256 && now < entry.expires)?;
            let caller = Caller { identity: session.identity, role: entry.role };
            return Some(caller).filter(|_| entry.covers(path));
        }
        Some(Caller { identity: session.identity, role: session.role })
    }
}

/// The value of a cookie.
pub(super) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(known, _)| *known == name).map(|(_, value)| value)
}
