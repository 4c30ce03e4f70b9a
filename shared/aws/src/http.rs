//! The HTTP client of all AWS calls, with and without SDK clients: one TLS stack, and no proxy from the environment.

mod connector;

use std::sync::OnceLock;

use heal_http::{Client, Options, TlsError};

use crate::limit::{ANSWER_BYTES, CONNECT_TIMEOUT};

pub(crate) use connector::Connector;

/// Callers retry, since each try needs its own signature.
const OPTIONS: Options = Options { body_bytes: ANSWER_BYTES, connect_time: CONNECT_TIMEOUT, idle: IDLE };
/// Idle connections kept for each host: as many as a batch has calls in flight.
const IDLE: usize = 10;

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
    pub(crate) fn client(&self, scheme: &str) -> Result<&Client, TlsError> {
        let (cell, is_plain) = match scheme {
            "http" => (&self.plain, true),
            _ => (&self.secure, false),
        };
        if let Some(client) = cell.get() {
            return Ok(client);
        }
        let client = Client::new(OPTIONS, is_plain)?;
        Ok(cell.get_or_init(|| client))
    }
}
