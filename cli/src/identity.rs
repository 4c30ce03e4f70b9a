//! Who works at this terminal.

use heal_clients::config::{Env, Strings as _};

/// Read in this order.
const VARIABLES: [&str; 2] = ["USER", "LOGNAME"];

/// The identity of the operating system's user, such as `local:anna`.
pub(crate) fn local() -> String {
    let name = |variable| Env.get(variable).ok().flatten().filter(|name| !name.is_empty());
    format!("local:{}", VARIABLES.into_iter().find_map(name).unwrap_or_else(|| "unknown".to_owned()))
}
