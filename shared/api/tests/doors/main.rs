//! The doors over real sockets: who comes in, what another site can do, and how much one peer can hold.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bounds;
mod browser;
mod gateway;
mod identities;
mod issuer;
mod sign_in;
mod site;
