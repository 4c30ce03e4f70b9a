//! The API behind API Gateway (HTTP API, payload format 2.0).

use std::fmt;
use std::sync::Arc;

use heal_clients::config::Env;
use heal_runtime::library::Library;
use heal_telemetry::Telemetry;
use heal_wiring::Ports;
use heal_wiring::environment::{
    ENV_API_FILE, ENV_API_ROLE, ENV_CHECKS_FILE, ENV_HOOKS_FILE, ENV_OIDC_CLIENT_SECRET, ENV_PLAYBOOKS_FILE,
    ENV_SECRET, ENV_SESSION_KEY,
};
use heal_wiring::secrets::Vault;
use lambda_http::http::Extensions;
use lambda_http::request::RequestContext;
use lambda_http::{Adapter, IntoResponse, Request, Service};
use lambda_runtime::{Diagnostic, Runtime};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::error::Error;
use crate::function::{Function, logged, read_file, variable};
use crate::serve::AfterReply;

/// What the API of a stack works on. The function's role keeps it from writing to runs.
#[expect(missing_debug_implementations, reason = "ports have no debug form")]
pub struct ApiHome {
    /// The table and the queues.
    pub ports: Ports,
    /// The playbooks that the function is deployed with.
    pub library: Arc<Library>,
    /// The metrics of this process.
    pub telemetry: Telemetry,
    /// The secrets of this function, by reference.
    pub vault: Vault,
    /// The text of the compiled hooks.
    pub hooks: String,
    /// Seals sessions, which all processes share.
    pub session_key: Option<String>,
    /// Of this function as a client of the OIDC issuer.
    pub client_secret: Option<String>,
    checks: String,
    identities: String,
    role: String,
}

/// The value of [`ENV_API_ROLE`] that gives no role.
const NO_ROLE: &str = "none";

impl ApiHome {
    /// The scheduled checks that the function is deployed with.
    ///
    /// # Errors
    /// Their file is not a list of checks.
    pub fn checks<C: DeserializeOwned>(&self) -> Result<Vec<C>, Error> {
        parse(ENV_CHECKS_FILE, &self.checks)
    }

    /// The identities that the function is deployed with, as `heal access compile` writes them.
    ///
    /// # Errors
    /// Their file is not JSON.
    pub fn identities(&self) -> Result<Value, Error> {
        parse(ENV_API_FILE, &self.identities)
    }

    /// The role of a caller that API Gateway has identified and the identities do not name; `None` if it has none.
    ///
    /// # Errors
    /// The variable names no role.
    pub fn role<R: DeserializeOwned>(&self) -> Result<Option<R>, Error> {
        if self.role == NO_ROLE {
            Ok(None)
        } else {
            parse(ENV_API_ROLE, &Value::from(self.role.as_str()).to_string()).map(Some)
        }
    }

    /// `result`, with its error as one of the compiled identities.
    ///
    /// # Errors
    /// That of `result`, logged.
    pub fn of_identities<T>(result: Result<T, String>) -> Result<T, Error> {
        logged(result.map_err(|problem| Error::Variable { variable: ENV_API_FILE, problem }))
    }

    /// `result`, with its error as one of the compiled hooks.
    ///
    /// # Errors
    /// That of `result`, logged.
    pub fn of_hooks<T>(result: Result<T, String>) -> Result<T, Error> {
        logged(result.map_err(|problem| Error::Variable { variable: ENV_HOOKS_FILE, problem }))
    }
}

fn parse<T: DeserializeOwned>(variable: &'static str, json: &str) -> Result<T, Error> {
    logged(serde_json::from_str(json).map_err(|error| Error::Variable { variable, problem: error.to_string() }))
}

impl Function {
    /// The home that the API works on.
    ///
    /// # Errors
    /// The playbooks or the guardrails cannot be used, another file cannot be read, or the function's secret cannot be.
    pub async fn api_home(&self) -> Result<ApiHome, Error> {
        logged(self.read_api_home().await)
    }

    async fn read_api_home(&self) -> Result<ApiHome, Error> {
        let library = Library::from_json(&read_file(&Env, ENV_PLAYBOOKS_FILE, "playbooks.json")?)?;
        let vault = self.vault().await?;
        let secret =
            |variable: &'static str| vault.variable(variable).map_err(|problem| Error::Variable { variable, problem });
        Ok(ApiHome {
            ports: self.bounded_ports()?,
            library: Arc::new(library),
            telemetry: self.telemetry.clone(),
            checks: read_file(&Env, ENV_CHECKS_FILE, "checks.json")?,
            identities: read_file(&Env, ENV_API_FILE, "api.json")?,
            hooks: read_file(&Env, ENV_HOOKS_FILE, "hooks.json")?,
            session_key: secret(ENV_SESSION_KEY)?,
            client_secret: secret(ENV_OIDC_CLIENT_SECRET)?,
            role: variable(&Env, ENV_API_ROLE)?.unwrap_or_else(|| NO_ROLE.to_owned()),
            vault,
        })
    }

    /// The secrets of this function.
    pub(crate) async fn vault(&self) -> Result<Vault, Error> {
        let vault = Vault::of_function(&self.session).await;
        vault.map_err(|problem| Error::Variable { variable: ENV_SECRET, problem })
    }

    /// Answers the requests that API Gateway passes on by `service`, until the platform ends the process.
    ///
    /// # Errors
    /// The platform's own interface failed.
    pub async fn answer_http<S, R, E>(self, service: S) -> Result<(), Error>
    where
        S: Service<Request, Response = R, Error = E> + Send + 'static,
        S::Future: Send + 'static,
        R: IntoResponse + 'static,
        E: fmt::Debug + Into<Diagnostic> + Send + 'static,
    {
        let telemetry = self.telemetry.clone();
        Runtime::new(Adapter::from(service)).layer(AfterReply { telemetry }).run().await.map_err(Error::Runtime)
    }
}

/// The `requestContext` of a request that API Gateway has passed on, as JSON: whom it has identified, and by which name and from which address
/// the request came. Null if it came another way.
pub fn request_context(extensions: &Extensions) -> Value {
    match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => serde_json::to_value(context).unwrap_or_default(),
        Some(_) | None => Value::Null,
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::request::from_str;

    use super::*;

    fn event(authorizer: &str) -> Request {
        let event = format!(
            r#"{{"version": "2.0", "routeKey": "$default", "rawPath": "/api/v1/runs", "rawQueryString": "limit=2", "headers": {{}},
            "requestContext": {{"accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "stage": "$default",
                "routeKey": "$default", "time": "t", "timeEpoch": 1, "authorizer": {authorizer},
                "http": {{"method": "GET", "path": "/api/v1/runs", "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1", "userAgent": "u"}}}},
            "isBase64Encoded": false}}"#
        );
        from_str(&event).unwrap()
    }

    #[test]
    fn whom_the_gateway_has_identified_and_how_the_request_came_are_in_its_context() {
        let iam = event(
            r#"{"iam": {"accessKey": "A", "accountId": "1", "callerId": "AROA:anna", "userArn": "arn", "userId": "AROA:anna"}}"#,
        );
        let context = request_context(iam.extensions());
        assert_eq!(context["authorizer"]["iam"]["userId"], "AROA:anna");
        assert_eq!(context["authorizer"]["iam"]["userArn"], "arn");
        assert_eq!((&context["domainName"], &context["http"]["sourceIp"]), (&"d".into(), &"10.0.0.1".into()));
        let jwt = event(r#"{"jwt": {"claims": {"sub": "anna", "groups": "[sre]"}, "scopes": null}}"#);
        let context = request_context(jwt.extensions());
        assert_eq!(context["authorizer"]["jwt"]["claims"]["groups"], "[sre]");
        assert_eq!(request_context(&Extensions::default()), Value::Null);
        assert_eq!((jwt.uri().path(), jwt.uri().query()), ("/api/v1/runs", Some("limit=2")));
    }

    #[test]
    fn cookies_and_a_body_in_base64_arrive_as_they_were_sent() {
        let event = r#"{"version": "2.0", "routeKey": "$default", "rawPath": "/login", "rawQueryString": "", "cookies": ["a=1", "heal_session=x"],
            "headers": {"host": "d", "content-type": "application/x-www-form-urlencoded"}, "body": "dG9rZW49eA==", "isBase64Encoded": true,
            "requestContext": {"accountId": "1", "apiId": "a", "domainName": "d", "domainPrefix": "d", "requestId": "r", "stage": "$default",
                "routeKey": "$default", "time": "t", "timeEpoch": 1,
                "http": {"method": "POST", "path": "/login", "protocol": "HTTP/1.1", "sourceIp": "10.0.0.1", "userAgent": "u"}}}"#;
        let request = from_str(event).unwrap();
        let cookies: Vec<_> = request.headers().get_all("cookie").iter().map(|it| it.to_str().unwrap()).collect();
        assert_eq!(cookies.join("; "), "a=1; heal_session=x");
        assert_eq!(&request.body()[..], b"token=x");
    }
}
