//! The HTTP client of all AWS calls, with and without SDK clients: one TLS stack, and no proxy from the environment.

mod connector;

use std::sync::OnceLock;

use reqwest::Client;
use reqwest::redirect::Policy;

use crate::limit::{CONNECT_TIMEOUT, POOL_IDLE};

pub(crate) use connector::Connector;

/// One client per scheme, created at first use.
#[derive(Debug, Default)]
pub(crate) struct Http {
    plain: OnceLock<Client>,
    secure: OnceLock<Client>,
}

impl Http {
    /// The client for URLs of that scheme. Only `https` loads the machine's root certificates, at first use: a starting function makes no
    /// call, and a local stack uses plain HTTP.
    ///
    /// # Errors
    /// The machine has no root certificates.
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
            // Callers retry, since each try needs its own signature.
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
