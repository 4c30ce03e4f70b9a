//! The API behind API Gateway (HTTP API, payload format 2.0).

use std::fmt;
use std::sync::Arc;

use heal_clients::config::Env;
use heal_runtime::library::Library;
use heal_telemetry::Telemetry;
use heal_wiring::Ports;
use heal_wiring::environment::{ENV_API_ROLE, ENV_CHECKS_FILE, ENV_PLAYBOOKS_FILE};
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
    checks: String,
    role: String,
}

impl ApiHome {
    /// The scheduled checks that the function is deployed with.
    ///
    /// # Errors
    /// Their file is not a list of checks.
    pub fn checks<C: DeserializeOwned>(&self) -> Result<Vec<C>, Error> {
        parse(ENV_CHECKS_FILE, &self.checks)
    }

    /// The role of every caller that API Gateway has identified.
    ///
    /// # Errors
    /// The variable names no role.
    pub fn role<R: DeserializeOwned>(&self) -> Result<R, Error> {
        parse(ENV_API_ROLE, &Value::from(self.role.as_str()).to_string())
    }
}

fn parse<T: DeserializeOwned>(variable: &'static str, json: &str) -> Result<T, Error> {
    logged(serde_json::from_str(json).map_err(|error| Error::Variable { variable, problem: error.to_string() }))
}

impl Function {
    /// The home that the API works on.
    ///
    /// # Errors
    /// The playbooks or the guardrails cannot be used, or the file of the checks cannot be read.
    pub fn api_home(&self) -> Result<ApiHome, Error> {
        logged(self.read_api_home())
    }

    fn read_api_home(&self) -> Result<ApiHome, Error> {
        let library = Library::from_json(&read_file(&Env, ENV_PLAYBOOKS_FILE, "playbooks.json")?)?;
        Ok(ApiHome {
            ports: self.bounded_ports()?,
            library: Arc::new(library),
            telemetry: self.telemetry.clone(),
            checks: read_file(&Env, ENV_CHECKS_FILE, "checks.json")?,
            role: variable(&Env, ENV_API_ROLE)?.unwrap_or_else(|| "viewer".to_owned()),
        })
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

/// Whom API Gateway has identified: the `authorizer` of a request's context. Null if it has identified nobody.
pub fn authorizer(extensions: &Extensions) -> Value {
    match extensions.get::<RequestContext>() {
        Some(RequestContext::ApiGatewayV2(context)) => {
            context.authorizer.as_ref().and_then(|authorizer| serde_json::to_value(authorizer).ok()).unwrap_or_default()
        }
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
    fn a_principal_and_claims_come_from_the_context_of_the_request() {
        let iam = event(
            r#"{"iam": {"accessKey": "A", "accountId": "1", "callerId": "AROA:anna", "userArn": "arn", "userId": "AROA:anna"}}"#,
        );
        assert_eq!(authorizer(iam.extensions())["iam"]["userId"], "AROA:anna");
        let jwt = event(r#"{"jwt": {"claims": {"sub": "anna", "groups": "[sre]"}, "scopes": null}}"#);
        let observed = authorizer(jwt.extensions());
        assert_eq!(
            (&observed["jwt"]["claims"]["sub"], &observed["jwt"]["claims"]["groups"]),
            (&"anna".into(), &"[sre]".into())
        );
        assert_eq!(authorizer(&Extensions::default()), Value::Null);
        assert_eq!((jwt.uri().path(), jwt.uri().query()), ("/api/v1/runs", Some("limit=2")));
    }
}
