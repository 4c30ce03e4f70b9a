//! What every function has: its table, its queues, its telemetry, and the files that it is deployed with.

use std::fs::File;
use std::io::Read as _;
use std::sync::Arc;

use heal_aws::{QueueUrls, Queues, Session, Store};
use heal_clients::config::{Env, Strings};
use heal_runtime::port::{Clock, Jump, SystemClock};
use heal_telemetry::Telemetry;
use heal_wiring::environment::{ENV_GUARDRAILS_FILE, ENV_QUEUE_URL_PREFIX, ENV_RUN_RETENTION_DAYS, ENV_TABLE};
use heal_wiring::observe::Observer;
use heal_wiring::{Clients, Ports, retention};

use crate::error::Error;
use crate::limit::FILE_BYTES;

/// A function that has started.
#[derive(Debug, Clone)]
pub struct Function {
    pub(crate) telemetry: Telemetry,
    pub(crate) store: Store,
    pub(crate) queues: Queues,
    pub(crate) session: Session,
}

impl Function {
    /// Installs logs, metrics and traces under `name`, the function's folder; reads the environment; connects to nothing yet.
    ///
    /// # Errors
    /// A variable is missing or wrong. The error is logged too, since the platform shows little of a failed start.
    pub async fn start(name: &str) -> Result<Self, Error> {
        let telemetry = Telemetry::lambda(name, &|variable| Env.get(variable).ok().flatten());
        logged(Self::on(&Env, telemetry).await)
    }

    async fn on(strings: &dyn Strings, telemetry: Telemetry) -> Result<Self, Error> {
        let table = needed(strings, ENV_TABLE)?;
        let urls = QueueUrls::parse(ENV_QUEUE_URL_PREFIX, &needed(strings, ENV_QUEUE_URL_PREFIX)?)?;
        let days = keep_runs_days(strings)?;
        let session = Session::from_env().await?;
        let store = Store::new(&session, table)?.keeping_runs_for(days);
        let queues = Queues::new(&session, urls)?;
        Ok(Self { telemetry, store, queues, session })
    }

    /// The services' clients. Their circuit breakers share their state in the table.
    ///
    /// # Errors
    /// The configuration is wrong, with every wrong variable; or the identity cannot be loaded.
    pub async fn clients(&self) -> Result<Clients, Error> {
        let clients = self.ports().clients(&Env, self.observer([], [])).await;
        logged(clients.map_err(Error::from))
    }

    /// The table and the queues, as the drivers take them.
    pub(crate) fn ports(&self) -> Ports {
        Ports::new(&self.store, &self.queues)
    }

    /// The same under the guardrails that the function is deployed with.
    pub(crate) fn bounded_ports(&self) -> Result<Ports, Error> {
        let text = read_file(&Env, ENV_GUARDRAILS_FILE, "guardrails.json")?;
        let ports = self.ports().bounded_by_json(&text)?;
        tracing::info!(digest = %ports.guardrails.digest(), "guardrails are in force");
        Ok(ports)
    }

    /// Counts for this function; these actions and playbooks are allowed as label values. A clock that was set is counted, but not one that seems to
    /// be ahead because the function was frozen.
    pub(crate) fn observer<'n>(
        &self,
        actions: impl IntoIterator<Item = &'n str>,
        playbooks: impl IntoIterator<Item = &'n str>,
    ) -> Arc<Observer> {
        let observer = Observer::new(self.telemetry.metrics(), actions, playbooks);
        let counter = Arc::clone(&observer);
        SystemClock::counting_jumps(move |jump| match jump {
            Jump::Back { .. } | Jump::FarBack { .. } => counter.clock_jumped(jump),
            Jump::Ahead { .. } => {}
        });
        observer
    }
}

/// The system clock.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// The value of `variable`; `None` if it is unset or empty.
pub(crate) fn variable(strings: &dyn Strings, variable: &'static str) -> Result<Option<String>, Error> {
    let value = strings.get(variable).map_err(|fault| Error::Variable { variable, problem: fault.to_string() })?;
    Ok(value.filter(|value| !value.is_empty()))
}

/// Days that a run is kept after its end.
fn keep_runs_days(strings: &dyn Strings) -> Result<u64, Error> {
    let name = ENV_RUN_RETENTION_DAYS;
    let days = variable(strings, name)?.map(|text| retention::parse_days(&text)).transpose();
    Ok(days.map_err(|problem| Error::Variable { variable: name, problem })?.unwrap_or(retention::RUN_RETENTION_DAYS))
}

fn needed(strings: &dyn Strings, name: &'static str) -> Result<String, Error> {
    let missing = || Error::Variable { variable: name, problem: "not set".to_owned() };
    variable(strings, name)?.ok_or_else(missing)
}

/// Logs `result` if it is an error, and returns it.
pub(crate) fn logged<T>(result: Result<T, Error>) -> Result<T, Error> {
    if let Err(error) = &result {
        tracing::error!(error = error as &dyn std::error::Error, "function failed to start");
    }
    result
}

/// The text of the file that `variable` names, or of `default` if it is unset.
///
/// # Errors
/// [`Error::File`]: the file cannot be read, is not UTF-8, or has more than [`FILE_BYTES`].
pub(crate) fn read_file(strings: &dyn Strings, variable: &'static str, default: &str) -> Result<String, Error> {
    let path = self::variable(strings, variable)?.unwrap_or_else(|| default.to_owned());
    let text = || -> std::io::Result<String> {
        let mut text = String::new();
        let bytes = File::open(&path)?.take(FILE_BYTES + 1).read_to_string(&mut text)?;
        if bytes as u64 > FILE_BYTES {
            return Err(std::io::Error::other(format!("it has more than the limit of {FILE_BYTES} bytes")));
        }
        Ok(text)
    };
    text().map_err(|cause| Error::File { variable, path: path.clone(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_file_is_named_with_its_variable() {
        let variable = "HEAL_PLAYBOOKS_FILE";
        let error = read_file(&[(variable, "/nowhere/playbooks.json")], variable, "x").unwrap_err();
        assert_eq!(error.to_string(), "failed to read /nowhere/playbooks.json (from HEAL_PLAYBOOKS_FILE)");
    }

    async fn fault(strings: &dyn Strings) -> String {
        Function::on(strings, Telemetry::silent()).await.unwrap_err().to_string()
    }

    #[tokio::test]
    async fn a_missing_or_wrong_variable_is_named() {
        assert_eq!(fault(&[]).await, "HEAL_TABLE: not set");
        assert_eq!(
            fault(&[("HEAL_TABLE", "t"), ("HEAL_QUEUE_URL_PREFIX", "")]).await,
            "HEAL_QUEUE_URL_PREFIX: not set"
        );
        let prefix = ("HEAL_QUEUE_URL_PREFIX", "http://127.0.0.1:1/000000000000/heal-");
        assert_eq!(
            fault(&[("HEAL_TABLE", "t"), prefix, ("HEAL_RUN_RETENTION_DAYS", "0")]).await,
            "HEAL_RUN_RETENTION_DAYS: `0` is not a whole number of days from 1 to 3650"
        );
        let error = Function::on(&[("HEAL_TABLE", "t"), ("HEAL_QUEUE_URL_PREFIX", "heal-")], Telemetry::silent()).await;
        let cause = std::error::Error::source(&error.unwrap_err()).unwrap().to_string();
        assert!(cause.starts_with("HEAL_QUEUE_URL_PREFIX: "), "{cause}");
    }
}
