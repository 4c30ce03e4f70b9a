//! The fault matrix: what `heal run` says under every fault of every service, held against what is so.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;

/// Set by `make fault-matrix`: writes the page instead of comparing it.
const UPDATE: &str = "UPDATE_FAULT_MATRIX";
/// Runs only the rows whose name contains this text, such as `orchestrator, hang`; the page is left alone.
const ONLY: &str = "FAULT_MATRIX_ONLY";

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a switch for the developer who runs the test")]
async fn under_every_fault_heal_says_what_is_so() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let only = std::env::var(ONLY).unwrap_or_default();
    let matrix = heal_matrix::run(Path::new(env!("CARGO_BIN_EXE_heal")), root, &only).await;
    assert!(!matrix.rows.is_empty(), "no row's name contains {only:?}");
    let path = root.join("docs/fault-matrix.md");
    if only.is_empty() && std::env::var_os(UPDATE).is_some() {
        std::fs::write(&path, matrix.document()).unwrap();
    }
    let violations = matrix.violations();
    assert!(violations.is_empty(), "{} broken rules:\n{}", violations.len(), violations.join("\n"));
    if only.is_empty() {
        let differences = matrix.differences(&std::fs::read_to_string(&path).unwrap());
        assert!(differences.is_empty(), "run `make fault-matrix` and review:\n{}", differences.join("\n"));
    }
}
