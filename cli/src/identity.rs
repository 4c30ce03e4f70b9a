//! Who gives an order.

use heal_clients::config::{Env, Strings as _};

/// Variables that name the user, as the operating system's login sets them.
const NAMES: [&str; 2] = ["USER", "LOGNAME"];

/// The user of this process, as `local:anna`; `local:unknown` if the environment does not say.
pub(crate) fn local() -> String {
    let named = |name: &str| Env.get(name).ok().flatten().filter(|user| !user.trim().is_empty());
    let user = NAMES.into_iter().find_map(named);
    format!("local:{}", user.as_deref().unwrap_or("unknown"))
}
