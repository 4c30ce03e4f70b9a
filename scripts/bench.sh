#!/bin/sh
# Runs every benchmark of the workspace and prints the machine's description. The first, optimised build takes some minutes.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
printf 'toolchain: %s, profile bench\n' "$(rustc --version)"
# Benchmarks keep their databases in the temporary folder; whether that is a disk or memory changes the numbers.
printf 'temporary folder: %s\n' "$(df -P "${TMPDIR:-/tmp}" | awk 'NR == 2 { print $6 " on " $1 }')"
cargo bench --workspace --bench '*'
printf '\nmemory of an action over 10,000 calls\n'
cargo run --quiet --profile bench -p heal-reallocate-ticket --example memory
