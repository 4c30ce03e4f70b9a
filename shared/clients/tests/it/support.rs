//! Fixtures of several tests.

pub(crate) mod mtls;
pub(crate) mod spans;
pub(crate) mod watch;
pub(crate) mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use heal_clients::breaker::Clock;
use heal_clients::config::{BaseUrl, Dialect, TicketConfig};

/// A clock that the test advances, in epoch milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = Arc::clone(&self.0);
        Arc::new(move || time.load(Ordering::SeqCst))
    }
}

pub(crate) fn ticket_config(url: &str) -> TicketConfig {
    TicketConfig {
        url: BaseUrl::parse(url).unwrap(),
        timeout: Duration::from_secs(5),
        dialect: Dialect::Guide,
        breaker: heal_clients::breaker::Settings::default(),
    }
}

/// The clients' configuration for a stand-in platform.
pub(crate) fn platform_config(platform: &heal_sandbox::Platform) -> heal_clients::config::Config {
    let env: std::collections::BTreeMap<String, String> = platform.env().into_iter().collect();
    heal_clients::config::Config::read(&env).unwrap()
}
