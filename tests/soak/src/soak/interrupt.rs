//! Ctrl-C: the first one ends the load, the second one everything.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::sleep;

use crate::signal::sent;

/// The exit code of a process that a person interrupted.
const INTERRUPTED: i32 = 130;

#[derive(Clone)]
pub(super) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        let (asked, asks) = watch::channel(false);
        tokio::spawn(async move {
            while tokio::signal::ctrl_c().await.is_ok() {
                if asked.send_replace(true) {
                    std::process::exit(INTERRUPTED);
                }
                println!(
                    "interrupted: no more incidents and faults, the account follows; ctrl-C once more ends without it"
                );
            }
        });
        Self(asks)
    }

    pub(super) fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits for `length`, or until somebody interrupts.
    pub(super) async fn wait(&self, length: Duration) {
        let mut asks = self.0.clone();
        tokio::select! {
            () = sent(&mut asks) => {}
            () = sleep(length) => {}
        }
    }
}
