//! The workspace's HTTP client, as AWS is called with it: by hand, and under the SDK's clients. One TLS stack, and no proxy of the environment.

mod connector;

use std::sync::OnceLock;

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::limit::{CONNECT_TIMEOUT, POOL_IDLE};

pub(crate) use connector::Connector;

/// A client for each scheme, made when it is first needed.
#[derive(Debug, Default)]
pub(crate) struct Http {
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Http {
    /// The client for addresses of that scheme. The machine's authorities are read for the first one that is verified against them: a function
    /// that is started calls nobody yet, and a local stack is never verified.
    ///
    /// # Errors
    /// The machine has no authorities.
    pub(crate) fn client(&self, scheme: &str) -> Result<&Client, reqwest::Error> {
        let (cell, builder) = match scheme {
            "http" => (&self.plain, Client::builder().tls_certs_only([])),
            _ => (&self.secure, Client::builder()),
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = builder
            .no_proxy()
            .redirect(Policy::none())
            // Repeating is decided above: it takes a signature of its own time.
            .retry(reqwest::retry::never())
            .referer(false)
            .tcp_nodelay(true)
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(POOL_IDLE)
            .user_agent(concat!("self-healing-engine/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(cell.get_or_init(|| client))
    }
}
