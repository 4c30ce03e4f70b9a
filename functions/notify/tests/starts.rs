//! The function as a process.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::process::Command;

#[test]
fn a_function_that_is_not_told_where_its_table_is_says_so_and_ends() {
    let output = Command::new(env!("CARGO_BIN_EXE_notify")).env_clear().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains("HEAL_TABLE"), "{said}");
    // One line of JSON.
    let line = said.lines().next().unwrap();
    assert!(line.starts_with('{') && line.contains("\"level\":\"ERROR\""), "{said}");
}
