#!/bin/sh
# What stored runs cost the next ones: heal serve with 10 stored runs, 10,000, and so on up to RUNS (100000). Those beyond 100,000 are copies, which
# Python makes. FOLDER is where its state is; a million runs take 6 GB there.
set -eu

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
folder=${FOLDER:-$target/peers}
cargo build --quiet --locked --profile fast -p heal
cargo build --quiet --locked --release --manifest-path benches/peers/Cargo.toml --target-dir "$target/peers-build"
mkdir -p "$folder"
exec "$target/peers-build/release/peers" grow "$target/fast/heal" "$folder" "${RUNS:-100000}"
