//! The console in a real Chromium: every page, an incident healed before the eyes, halt and resume, texts from outside, accessibility.
//!
//! Chromium, its driver and axe-core are installed by `scripts/install-browser.sh`. A test without them prints that it was skipped.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod access;
mod browser;
mod hostile;
mod links;
mod people;
#[path = "../cli/support.rs"]
#[allow(dead_code, reason = "the tests of the command line use more of it")]
mod support;
mod work;
