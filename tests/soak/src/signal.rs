//! A signal that one part of the soak sends and others wait for.

use tokio::sync::watch;

/// Resolves once the signal was sent, or its sender is gone.
pub(crate) async fn sent(signal: &mut watch::Receiver<bool>) {
    // Nobody is left to send it: the soak ends.
    let _ = signal.wait_for(|sent| *sent).await;
}
