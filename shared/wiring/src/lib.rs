//! Clients put together.
