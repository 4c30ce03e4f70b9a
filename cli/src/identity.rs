//! Who the person at this terminal is.

use uzers::{get_current_uid, get_user_by_uid};

/// The operating system's user, as `local:anna`; `local:#1000` for a user without a name. It is asked by its id: a variable such as `USER` is
/// whatever the caller sets it to.
pub(crate) fn local() -> String {
    let uid = get_current_uid();
    match get_user_by_uid(uid) {
        Some(user) => format!("local:{}", user.name().to_string_lossy()),
        None => format!("local:#{uid}"),
    }
}
