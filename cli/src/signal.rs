//! Signals to stop the process.

use std::future::Future;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Resolves at the first Ctrl-C or SIGTERM from this call on.
///
/// # Errors
/// The system refuses to register a signal handler.
pub(crate) fn stop() -> anyhow::Result<impl Future<Output = ()>> {
    let mut signals = Signals::listen()?;
    Ok(async move { signals.next().await })
}

/// Every Ctrl-C and SIGTERM from [`Signals::listen`] on.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// # Errors
    /// The system refuses to register a signal handler.
    pub(crate) fn listen() -> anyhow::Result<Self> {
        let register = |kind| signal(kind).context("failed to register a handler for Ctrl-C and SIGTERM");
        Ok(Self { interrupt: register(SignalKind::interrupt())?, terminate: register(SignalKind::terminate())? })
    }

    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}
