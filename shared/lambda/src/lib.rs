//! The engine's functions behind their queues: what every `main.rs` wires, and what it need not know.
//!
//! A function starts with [`Function::start`], which reads what it is told by its environment, and then serves: [`Function::dispatch`],
//! [`Function::perform`] or [`Function::check`]. Each record of a batch is on its own: one that fails is reported by its id and comes back, one
//! that nobody can carry out is parked with the reason, and neither costs its neighbours anything. Telemetry is sent after the reply, within
//! its cap.
//!
//! It deliberately decides nothing: what becomes of a delivery is `runtime`'s to say ([`heal_runtime::inbox`]).

mod action;
mod checks;
mod dispatcher;
mod error;
mod file;
mod function;
pub mod limit;
mod record;
mod serve;
mod settle;

pub use error::Error;
pub use function::{Function, clock};
