//! Clients put together.

pub mod observe;
