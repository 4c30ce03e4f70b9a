//! A store as a file: opening, limits, damage, rubbish, and several users at once.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod bounds;
mod claimed;
#[path = "../common/mod.rs"]
mod common;
mod copies;
mod damage;
mod file;
mod garbage;
mod large_file;
mod news;
mod opening;
mod recover;
mod results;
mod shared;
