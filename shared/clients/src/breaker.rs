//! Stops calling a service that does not answer, and finds out when it does again.
//!
//! So many consecutive failures open the breaker; calls are then refused at once. After the reset time one trial call goes
//! through: its success closes the breaker, its failure opens it again. [`machine`] is pure, time is its argument.
//!
//! # Shared state
//! With a [`SharedBreaker`] the breaker of a service is one for all processes. Failures are counted by each for itself; the
//! first to reach the threshold writes the opening, once, by a conditional write. The trial belongs to the one whose conditional
//! write took it; a holder that vanishes loses it after another reset time. The local view is up to
//! [`VIEW_LIFETIME`] old. A store that does not answer changes nothing: the breaker then goes by what this process saw.

mod gate;
mod in_memory;
pub mod machine;
mod shared;

pub use gate::{Breaker, Clock, STORE_TIMEOUT, VIEW_LIFETIME, system_clock};
pub use in_memory::InMemory;
pub use machine::{Phase, Record, Settings, State};
pub use shared::{SharedBreaker, StoreFault};
