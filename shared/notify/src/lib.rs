//! Word out: what people are told, where, and at least once.
