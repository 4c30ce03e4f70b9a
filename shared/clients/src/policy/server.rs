//! Queries to the OPA server.

use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use super::SERVICE;
use super::decision::Answer;
use crate::breaker::{Breaker, Clock, Settings};
use crate::call::{CallContext, Wiring};
use crate::config::PolicyConfig;
use crate::error::{Effect, Error, chain};
use crate::http::{Http, Request};

const PATH: &str = "/v1/data/neuralhive/self_healing/playbook_validation";

/// A client of the OPA server.
#[derive(Debug)]
pub(super) struct Server {
    http: Http,
    decision: Url,
    health: Url,
    breaker: Breaker,
}

#[derive(Deserialize)]
struct Wire {
    result: Option<Value>,
}

impl Server {
    pub(super) fn new(host: &str, config: &PolicyConfig, wiring: &Wiring, clock: Clock) -> Result<Self, Error> {
        let url = |path: &str| {
            Url::parse(&format!("http://{host}:{}{path}", config.port))
                .map_err(|error| Error::Invalid { field: "OPA_HOST", problem: chain(&error) })
        };
        Ok(Self {
            http: Http::new(SERVICE, "http://", config.timeout)?,
            decision: url(PATH)?,
            health: url("/health")?,
            breaker: Breaker::new(SERVICE, Settings::default(), wiring, clock),
        })
    }

    /// The server's decision on `input`, or a sentence that says why there is none.
    pub(super) async fn ask(&self, input: &Value, context: &CallContext) -> Result<Answer, String> {
        let operation = "validate_action";
        // Built only if the breaker lets the call pass: a server that is known to be away costs nothing.
        let call = async {
            let request = Request {
                operation,
                method: Method::POST,
                url: self.decision.clone(),
                body: Some(json!({ "input": input }).to_string().into_bytes()),
                at_stake: Effect::NotApplied,
            };
            // A query changes nothing, so it needs no idempotency key.
            let context = CallContext { idempotency_key: None, ..context.clone() };
            let answer = self.http.exchange(&request, &context).await?;
            self.http.judge(&request).json::<Wire>(answer)
        };
        let ids = ["/resource/ticket_id", "/resource/workflow_id", "/resource/plan_id"];
        let target = ids.map(|id| input.pointer(id).and_then(Value::as_str).unwrap_or_default()).concat();
        let wire = self.breaker.run_for(operation, &target, call).await.map_err(|error| error.to_string())?;
        Answer::read(wire.result.as_ref()).map_err(|problem| format!("{SERVICE} gave no decision: {problem}"))
    }

    pub(super) async fn health(&self, context: &CallContext) -> Result<(), Error> {
        let request = Request {
            operation: "health",
            method: Method::GET,
            url: self.health.clone(),
            body: None,
            at_stake: Effect::NotApplied,
        };
        let answer = self.http.exchange(&request, context).await?;
        self.http.judge(&request).good(answer).map(drop)
    }
}
