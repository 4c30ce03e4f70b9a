#!/bin/sh
# Runs every shipped playbook under every fault of every service, and writes what happened to docs/fault-matrix.md. A broken rule fails it.
# FAULT_MATRIX_ONLY="orchestrator, hang" runs the rows whose names contain that text, and leaves the page alone.
set -eu

cd "$(dirname "$0")/.."
UPDATE_FAULT_MATRIX=1 cargo test --locked --workspace --test fault_matrix
