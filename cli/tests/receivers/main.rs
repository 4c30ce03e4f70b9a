//! Real receivers: the telemetry of `heal serve` arrives at a Prometheus that scrapes it, at a store of OTLP metrics, and in Jaeger.
//!
//! The programs are in `.tools/bin` (`scripts/install-receivers.sh`). A test without its program prints that it was skipped.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod alertmanager;
mod approvals;
mod asked;
mod jaeger;
mod metrics;
mod prepared;
mod promql;
mod receiver;
mod scenario;
mod site;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the tests of the command line use more of it")]
mod support;
mod traces;
