//! One function's ground: what it is called, where its rows and queues are, and where its telemetry goes.

use std::sync::Arc;

use heal_aws::{QueueUrls, Queues, Session, Store};
use heal_clients::config::{Env, Strings};
use heal_runtime::port::{Clock, SystemClock};
use heal_telemetry::Telemetry;
use heal_wiring::Clients;
use heal_wiring::environment::{ENV_QUEUE_URL_PREFIX, ENV_TABLE};
use heal_wiring::observe::Observer;

use crate::error::Error;

/// A function that has started.
#[derive(Debug, Clone)]
pub struct Function {
    pub(crate) telemetry: Telemetry,
    pub(crate) store: Store,
    pub(crate) queues: Queues,
}

impl Function {
    /// Installs logs, metrics and traces under `name`, the function's folder; reads the environment; connects to nothing yet.
    ///
    /// # Errors
    /// A variable is missing or wrong. It is in the log, too: the platform shows little of a start that failed.
    pub async fn start(name: &str) -> Result<Self, Error> {
        let telemetry = Telemetry::lambda(name, &|variable| Env.get(variable).ok().flatten());
        logged(Self::on(&Env, telemetry).await)
    }

    async fn on(strings: &dyn Strings, telemetry: Telemetry) -> Result<Self, Error> {
        let table = needed(strings, ENV_TABLE)?;
        let urls = QueueUrls::parse(ENV_QUEUE_URL_PREFIX, &needed(strings, ENV_QUEUE_URL_PREFIX)?)?;
        let session = Session::from_env().await?;
        Ok(Self { store: Store::new(&session, table)?, queues: Queues::new(&session, urls)?, telemetry })
    }

    /// The clients of the services around, whose breakers meet in the table.
    ///
    /// # Errors
    /// The configuration is wrong, every variable named; or the identity cannot be had.
    pub async fn clients(&self) -> Result<Clients, Error> {
        let clients = Clients::new(&Env, Arc::new(self.store.clone()), self.observer([], [])).await;
        logged(clients.map_err(Error::from))
    }

    /// Counts for this function, which may tell these actions and playbooks by name.
    pub(crate) fn observer<'n>(
        &self,
        actions: impl IntoIterator<Item = &'n str>,
        playbooks: impl IntoIterator<Item = &'n str>,
    ) -> Arc<Observer> {
        Observer::new(self.telemetry.metrics(), actions, playbooks)
    }
}

/// The clock that attempts' deadlines are set by.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The value of `variable`; none where it is unset or empty.
pub(crate) fn variable(strings: &dyn Strings, variable: &'static str) -> Result<Option<String>, Error> {
    let value = strings.get(variable).map_err(|fault| Error::Variable { variable, problem: fault.to_string() })?;
    Ok(value.filter(|value| !value.is_empty()))
}

fn needed(strings: &dyn Strings, name: &'static str) -> Result<String, Error> {
    let missing = || Error::Variable { variable: name, problem: "is not set".to_owned() };
    variable(strings, name)?.ok_or_else(missing)
}

/// The same, and said in the log where it is a failure.
pub(crate) fn logged<T>(result: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &result {
        tracing::error!(error = error as &dyn std::error::Error, "function does not start");
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn fault(strings: &dyn Strings) -> String {
        Function::on(strings, Telemetry::silent()).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn what_is_missing_or_wrong_is_named() {
        assert_eq!(fault(&[]).await, "HEAL_TABLE: is not set");
        assert_eq!(
            fault(&[("HEAL_TABLE", "t"), ("HEAL_QUEUE_URL_PREFIX", "")]).await,
            "HEAL_QUEUE_URL_PREFIX: is not set"
        );
        let error = Function::on(&[("HEAL_TABLE", "t"), ("HEAL_QUEUE_URL_PREFIX", "heal-")], Telemetry::silent()).await;
        let cause = std::error::Error::source(&error.unwrap_err()).unwrap().to_string();
        assert!(cause.starts_with("HEAL_QUEUE_URL_PREFIX: "), "{cause}");
    }
}
