//! One wiring for both homes of the engine, the Lambda functions and `heal`.
//!
//! [`Ports`] hands the stores and queues of a home to the drivers; [`Clients`] makes the clients of the services around from the
//! configuration, over AWS where that names something there; [`notify`] makes the notifier, [`secrets`] reads secrets by reference; [`observe`] counts
//! what both report. [`environment`] is the table of all
//! environment variables.
//!
//! It deliberately makes nothing that a program does not ask for, and knows no action: the functions depend on this crate.
//! Start at [`Ports`], then [`Clients`].

#![warn(missing_docs)]

pub mod aws;
mod clients;
pub mod environment;
pub mod notify;
pub mod observe;
mod ports;
pub mod retention;
pub mod secrets;

pub use clients::{Clients, Error};
pub use heal_guard::BadGuardrails;
pub use ports::Ports;
