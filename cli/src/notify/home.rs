//! The notifier of this process.

use std::sync::Arc;

use heal_engine::notice::Rules;
use heal_notify::Notifier;
use heal_notify::channel::Courier;
use heal_wiring::observe::Observer;

/// The notifier of a home. AWS is not touched unless the rules name something there.
///
/// # Errors
/// The configuration is wrong, or AWS cannot be set up.
pub(crate) async fn notifier(
    ports: &heal_wiring::Ports,
    rules: Arc<Rules>,
    observer: Arc<Observer>,
) -> anyhow::Result<Notifier> {
    let courier = courier(&rules).await?;
    Ok(heal_wiring::notify::notifier(ports, rules, courier, observer))
}

/// Sends by the channels of `rules`.
///
/// # Errors
/// As [`notifier`].
pub(crate) async fn courier(rules: &Rules) -> anyhow::Result<Courier> {
    Ok(heal_wiring::notify::courier(rules).await?)
}
