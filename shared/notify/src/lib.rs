//! Word out: tells people what happened, by the channels and routes that they set, each notice at least once to each channel.
//!
//! [`notifier`] takes messages of the queue `notify`: it derives the notices, finds their channels, and remembers what it has told; [`channel`]
//! renders and sends for each kind of channel; [`link`] makes and reads the links to approvals; [`secret`] is the port to secrets.
//!
//! It deliberately decides nothing about runs: what is worth a notice, and who gets it, is in [`heal_engine::notice`]. Start at [`Notifier`].

#![warn(missing_docs)]

pub mod channel;
mod digest;
pub mod link;
pub mod notifier;
pub mod quiet;
pub mod secret;

pub use channel::{Publisher, SendError};
pub use link::Links;
pub use notifier::{Notifier, Observer, Ports, Sent};
