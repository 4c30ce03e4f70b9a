//! Functions behind queues.
