#!/bin/sh
# /health while 40 clients read a run of 6,000 elements, again and again, in every form the API has. Compared, in the same course, with a quiet
# server and with 40 clients that read something small. Fails if /health takes over 250 ms or more than 5 times what the small reads leave it (99th
# of 100). Takes a minute, and as long as the run of 6,000 elements does. ELEMENTS, READERS and SECONDS_EACH change how much is done.
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
exec python3 scripts/bench_readers.py "$heal"
