//! Clients put together: from the configuration, over AWS where that names something of it, meeting their breakers in a store.
//!
//! `clients` knows no AWS and `aws` knows no clients; whoever puts a program together, the command line or a function, finds the two joined
//! here. It deliberately makes nothing that a program does not ask for. Start at [`Clients`].

pub mod aws;
mod clients_of;

pub use clients_of::{Clients, Error};
