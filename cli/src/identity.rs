//! Who uses the command line.

use heal_clients::config::Env;

use crate::environment;

/// The operating system's user as an identity: `local:anna`; `local:unknown` if the environment names none.
pub(crate) fn local() -> String {
    let name = |variable| environment::get(&Env, variable).ok().flatten();
    let user = name("USER").or_else(|| name("LOGNAME")).unwrap_or_else(|| "unknown".to_owned());
    format!("local:{user}")
}
