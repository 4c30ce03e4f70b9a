//! The ports in plain memory.
//!
//! Each is a map behind a lock, simple enough to be read as the specification: tests compare the real backends with them, and the
//! simulation runs on them. [`Faults`] makes any call fail before or after its effect, as a network does.

mod autonomy;
mod breakers;
mod checks;
mod claims;
mod clock;
mod faults;
mod queues;
mod runs;
mod settling;
mod switches;

pub use autonomy::Autonomies;
pub use breakers::Breakers;
pub use checks::Checks;
pub use claims::Claims;
pub use clock::ManualClock;
pub use faults::{Faults, When};
pub use queues::{MAX_RECEIVES, Queues};
pub use runs::Runs;
pub use settling::Settling;
pub use switches::{Switches, no_halts};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// The model behind `mutex`. A lock is only poisoned by a failing test, and the model stays valid.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
