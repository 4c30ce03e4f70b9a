//! What several tests need.

pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod sigv4;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use heal_aws::{AwsOverrides, Keys, Session};
use heal_engine::Timestamp;
use heal_runtime::port::Clock;

pub(crate) const ACCESS_KEY_ID: &str = "AKIDEXAMPLE";
pub(crate) const SECRET_ACCESS_KEY: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
pub(crate) const REGION: &str = "eu-central-1";

pub(crate) fn keys() -> Keys {
    Keys {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        session_token: None,
        expires_at: None,
    }
}

/// A session that leads to `url`, or to AWS itself, to which no test may connect.
pub(crate) async fn session(url: Option<&str>, keys: Keys) -> Session {
    let given =
        AwsOverrides { region: Some(REGION.to_owned()), keys: Some(keys), endpoint_url: url.map(str::to_owned) };
    Session::load(given).await.unwrap()
}

pub(crate) async fn session_at(url: &str) -> Session {
    session(Some(url), keys()).await
}

/// Time that a test moves by hand.
#[derive(Debug, Clone)]
pub(crate) struct Hand(Arc<AtomicU64>);

impl Hand {
    pub(crate) fn at(epoch_seconds: u64) -> Self {
        Self(Arc::new(AtomicU64::new(epoch_seconds * 1000)))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(u64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn time(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(self.0.load(Ordering::SeqCst))
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}
