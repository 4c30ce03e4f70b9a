#!/bin/sh
# The HTTP API with 5,000 idle connections and 500 that send their head byte by byte: how long /health takes, how much memory the process has,
# and how long each page of the console takes to its first byte. Fails over 100 ms, 100 MiB and, optimised, 20 ms. Takes half a minute.
# Measures the optimised build if there is one (cargo build --release), otherwise the debug build.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
target=${CARGO_TARGET_DIR:-target}
heal=$target/release/heal
if [ ! -x "$heal" ]; then
    heal=$target/debug/heal
    cargo build --quiet --locked --workspace --bins
fi
exec python3 scripts/bench_doors.py "$heal"
