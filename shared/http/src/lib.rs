//! Connections and calls over HTTP/1.1 that are bounded in time and bytes, whatever their server does: what it sends costs this process little
//! memory, and holds up no other work.
//!
//! It deliberately follows no redirect, uses no proxy from the environment, retries nothing, and knows no service. Not over reqwest, which bounds
//! neither what is read in one go nor the head of a response: interim responses without an end hold a thread of it for half a minute.
//! Start at [`Client`]; [`connect`] is for a client with a TLS of its own, [`Paced`] for another protocol.

#![warn(missing_docs)]

mod client;
pub mod connect;
mod paced;

pub use client::{Answer, Client, Error, Options, TlsError, tls};
pub use paced::{Paced, UNASKED_BYTES};
