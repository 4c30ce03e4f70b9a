//! Why no connection could be opened. Nothing was sent then.

use crate::error::{OutageKind, chain};
use crate::identity::IdentityError;
use crate::own;

/// A connection could not be opened, so nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The server is away, or this process has no identity now.
    #[error("{detail}")]
    Outage { kind: OutageKind, detail: String },
    /// What answers is not the server that the settings describe.
    #[error("{0}")]
    Misfit(Misfit),
}

/// What a server showed of itself, and what a setting makes this process expect.
#[derive(Debug, thiserror::Error)]
#[error("observed {observed}, expected {expected}")]
pub(crate) struct Misfit {
    pub setting: Setting,
    pub observed: String,
    pub expected: String,
}

/// The setting that does not fit the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Setting {
    /// The SPIFFE ID that the server must have.
    ServerId,
    /// The trust domain whose authorities issue the certificates of both sides.
    TrustDomain,
    /// TLS or plain text.
    Tls,
    /// Host and port.
    Address,
}

impl ConnectError {
    pub(super) fn away(detail: String) -> Self {
        Self::Outage { kind: OutageKind::Connect, detail }
    }

    /// The connection could not be opened: by the server, the network, or this machine.
    pub(super) fn failed(error: &(dyn std::error::Error + 'static)) -> Self {
        let kind = if own::is_behind(error) { OutageKind::OwnTrouble } else { OutageKind::Connect };
        Self::Outage { kind, detail: chain(error) }
    }

    pub(super) fn no_identity(error: &IdentityError) -> Self {
        let kind = if own::is_behind(error) { OutageKind::OwnTrouble } else { OutageKind::NoIdentity };
        Self::Outage { kind, detail: chain(error) }
    }

    pub(super) fn misfit(setting: Setting, observed: impl Into<String>, expected: impl Into<String>) -> Self {
        Self::Misfit(Misfit { setting, observed: observed.into(), expected: expected.into() })
    }
}
