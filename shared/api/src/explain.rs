//! Why a run did what it did, told from its log, with every recorded decision made again from its record alone.
//!
//! `heal runs explain`, `GET /api/v1/runs/{id}/explanation` and the console tell the same sentences.

mod decision;
mod story;
pub mod words;

pub use decision::Decided;
pub use story::{Told, tell};

/// `1 error`, `2 errors`.
fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
