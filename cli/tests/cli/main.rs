//! The real binary, over the stand-in platform on real sockets.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

mod api;
mod api_v1;
mod approvals;
mod audit;
mod backend;
mod bad_input;
mod check;
mod clock;
mod dependencies;
mod deployed;
mod descriptors;
mod diagrams;
mod dlq;
mod doctor;
mod doors;
mod escalations;
mod followups;
mod freeze;
mod gate;
mod guardrails;
mod halt;
mod hook;
mod hostile;
mod incident;
mod kill;
mod logs;
mod notify;
mod platform;
mod playbook;
mod receiver;
mod replanning;
mod require;
mod roles;
mod rooms;
mod run;
mod runs;
mod runs_of_a_stack;
mod sandbox;
mod secrets;
mod shadow;
mod state_file;
mod storm;
mod support;
mod syncs;
mod telemetry;
