//! The loop with the platform: one invocation at a time, telemetry after each reply.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use heal_telemetry::{Telemetry, text};
use lambda_runtime::tower::{Layer, Service, service_fn};
use lambda_runtime::{Diagnostic, LambdaEvent, LambdaInvocation, Runtime};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// Answers each event by `handler`, until the platform ends the process.
///
/// # Errors
/// The platform's own interface failed.
pub(crate) async fn serve<A, R, Fut>(
    telemetry: Telemetry,
    handler: impl Fn(LambdaEvent<A>) -> Fut + 'static,
) -> Result<(), Error>
where
    A: DeserializeOwned + 'static,
    R: Serialize + 'static,
    Fut: Future<Output = Result<R, Diagnostic>> + 'static,
{
    Runtime::new(service_fn(handler)).layer(AfterReply { telemetry }).run().await.map_err(Error::Runtime)
}

/// Sends telemetry after the reply and before the platform freezes the process: only the next invocation waits for it.
#[derive(Clone)]
pub(crate) struct AfterReply {
    pub telemetry: Telemetry,
}

pub(crate) struct Flushing<S> {
    inner: S,
    telemetry: Telemetry,
}

impl<S> Layer<S> for AfterReply {
    type Service = Flushing<S>;

    fn layer(&self, inner: S) -> Flushing<S> {
        Flushing { inner, telemetry: self.telemetry.clone() }
    }
}

impl<S> Service<LambdaInvocation> for Flushing<S>
where
    S: Service<LambdaInvocation, Response = ()>,
    S::Future: 'static,
{
    type Response = ();
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<(), S::Error>>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, invocation: LambdaInvocation) -> Self::Future {
        let answered = self.inner.call(invocation);
        let telemetry = self.telemetry.clone();
        Box::pin(async move {
            let answered = answered.await;
            telemetry.flush().await;
            answered
        })
    }
}

/// A failure of a whole invocation, with its causes, in the platform's form.
pub(crate) fn diagnostic(kind: &str, error: &(dyn std::error::Error + 'static)) -> Diagnostic {
    tracing::error!(error, "invocation failed");
    Diagnostic { error_type: kind.to_owned(), error_message: text::chain(error) }
}

#[cfg(test)]
mod tests {
    use heal_runtime::port::BackendError;

    use super::*;

    #[test]
    fn a_failed_invocation_shows_its_causes() {
        let error = BackendError::unavailable("runs.due", "throttled");
        let diagnostic = diagnostic("SweepError", &error);
        assert_eq!(diagnostic.error_type, "SweepError");
        assert_eq!(diagnostic.error_message, "runs.due: the backend is unavailable: throttled");
    }
}
