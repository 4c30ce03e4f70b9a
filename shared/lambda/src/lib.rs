//! The engine's functions behind their queues: what every `main.rs` wires.
//!
//! A function starts with [`Function::start`], which reads the environment, and then serves: [`Function::dispatch`], [`Function::perform`],
//! [`Function::check`], [`Function::tell`] or [`Function::answer_http`]. The records of a batch are independent: one that fails is reported by its id and delivered again, one that can never
//! be processed is parked with the reason, and neither affects the others. Telemetry is sent after the reply, within its cap.
//!
//! This crate deliberately decides nothing: the outcome of a delivery comes from [`heal_runtime::inbox`].
//! Start reading at [`Function`].

#![warn(missing_docs)]

mod action;
mod api;
mod checks;
mod dispatcher;
mod error;
mod function;
pub mod limit;
mod notify;
mod record;
mod serve;
mod settle;

pub use api::{ApiHome, request_context};
pub use error::Error;
pub use function::{Function, clock};
