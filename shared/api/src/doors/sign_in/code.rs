//! The authorization code flow with PKCE.

use axum::body::Bytes;
use oauth2::basic::{
    BasicErrorResponse, BasicRevocationErrorResponse, BasicTokenIntrospectionResponse, BasicTokenType,
};
use oauth2::{
    AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, ExtraTokenFields,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope, StandardRevocableToken,
    StandardTokenResponse, TokenUrl,
};
use serde::{Deserialize, Serialize};

use super::{CALLBACK, SIGN_IN_MS, SignIn};
use crate::caller::Caller;
use crate::doors::Doors;
use crate::doors::oidc::{CallError, Issuer, IssuerClient};

#[derive(Debug, Serialize, Deserialize)]
struct IdToken {
    id_token: Option<String>,
}

impl ExtraTokenFields for IdToken {}

type Client = oauth2::Client<
    BasicErrorResponse,
    StandardTokenResponse<IdToken, BasicTokenType>,
    BasicTokenIntrospectionResponse,
    StandardRevocableToken,
    BasicRevocationErrorResponse,
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointSet,
>;

impl Doors {
    /// The issuer's page for this sign-in, and what has to be remembered until the person comes back.
    ///
    /// # Errors
    /// People do not sign in at an issuer here, or it cannot be reached.
    pub(super) async fn begin_sign_in(&self, next: String) -> Result<(String, SignIn), String> {
        let (_, client) = self.client().await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let nonce = CsrfToken::new_random();
        let (url, state) = client
            .authorize_url(CsrfToken::new_random)
            .add_scope(Scope::new("openid".to_owned()))
            .add_extra_param("nonce", nonce.secret())
            .set_pkce_challenge(challenge)
            .url();
        let until = self.clock.now().plus_ms(SIGN_IN_MS);
        let (state, nonce) = (state.into_secret(), nonce.into_secret());
        Ok((url.into(), SignIn { state, nonce, verifier: verifier.into_secret(), next, until }))
    }

    /// The person who comes back with `code`.
    ///
    /// # Errors
    /// The issuer does not take the code, its token does not hold, or the person has no role.
    pub(super) async fn end_sign_in(&self, code: String, begun: SignIn) -> Result<Caller, String> {
        let (issuer, client) = self.client().await?;
        let http = issuer.http().clone();
        let send = move |request: HttpRequest| send(http.clone(), request);
        let answer = client
            .exchange_code(AuthorizationCode::new(code))
            .set_pkce_verifier(PkceCodeVerifier::new(begun.verifier))
            .request_async(&send)
            .await
            .map_err(|error| format!("the issuer did not take the code: {error}"))?;
        let token = answer.extra_fields().id_token.as_deref().ok_or("the issuer's answer has no ID token")?;
        let claims = issuer.verify(token, Some(&begun.nonce)).await.map_err(|error| error.to_string())?;
        let identity = issuer.identity(&claims).map_err(|error| error.to_string())?;
        let role = issuer
            .role(&claims)
            .ok_or_else(|| format!("no value of the claim `{}` of {identity} has a role", issuer.role_claim()))?;
        Ok(Caller { identity, role })
    }

    async fn client(&self) -> Result<(&Issuer, Client), String> {
        let issuer = self.issuer.as_ref().ok_or("no OIDC issuer is configured")?;
        let configured = issuer.client().ok_or("`oidc.client_id` is not configured")?;
        let url = self.browser.public_url().ok_or("`public_url` is not configured")?;
        let endpoints = issuer.endpoints().await.map_err(|error| error.to_string())?;
        let authorization = endpoints.authorization_endpoint.ok_or("the issuer has no `authorization_endpoint`")?;
        let token = endpoints.token_endpoint.ok_or("the issuer has no `token_endpoint`")?;
        let wrong = |error: url::ParseError| format!("a URL of the issuer cannot be read: {error}");
        let callback = url.join(CALLBACK).map_err(wrong)?;
        let mut client = oauth2::Client::new(ClientId::new(configured.id.clone()))
            .set_auth_uri(AuthUrl::new(authorization).map_err(wrong)?)
            .set_token_uri(TokenUrl::new(token).map_err(wrong)?)
            .set_redirect_uri(RedirectUrl::from_url(callback));
        if let Some(secret) = &configured.secret {
            client = client.set_client_secret(ClientSecret::new(secret.clone()));
        }
        Ok((issuer, client))
    }
}

/// One call of the issuer.
async fn send(client: IssuerClient, request: HttpRequest) -> Result<HttpResponse, CallError> {
    let answer = client.send(request.map(Bytes::from)).await?;
    let mut response = HttpResponse::new(answer.body.to_vec());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}
