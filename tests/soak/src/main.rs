//! `heal-soak`: hours of steady load on the engine under kills and faults, and at the end an account that has to balance.
//!
//! `make soak HOURS=…` builds everything and runs this, on one `heal serve` or, with `STACK=1`, on the deployed template ([`home`]). The phases:
//!
//! 1. **Load**: incidents of [`world`] at a steady rate ([`load`]); services and AWS fail and processes are killed ([`trouble`]); a script
//!    answers questions, halts, holds and cancels ([`people`]). The last quarter has no kills, so that memory that only grows shows.
//! 2. **Drain**: no more incidents, faults and brakes. Every run has to end, and every queue has to be empty.
//! 3. **Account**: what was sent, what each log says ([`entry`]) and what the services saw ([`seen`]) are held against each other ([`account`]).
//! 4. **Collection**: everything is collected as far in the future. What is left then would be left for ever.
//!
//! Ctrl-C ends the first phase; the others follow. Exits with 1 and the seed if anything does not agree.
#![allow(clippy::wildcard_enum_match_arm, reason = "the account reads the few events that it needs")]

mod account;
mod entry;
mod home;
mod load;
mod people;
mod random;
mod reading;
mod seen;
mod settings;
mod signal;
mod soak;
mod trouble;
mod world;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match soak::run(&settings::Settings::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            println!("the soak could not go on: {error:#}");
            ExitCode::from(2)
        }
    }
}
