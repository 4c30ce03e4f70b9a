#!/bin/sh
# Effects after `heal halt --all`, under load: fails if one comes later than 5 s after the command, or if a run does not go on. Takes two minutes.
# Arguments: rounds, runs of a round. STACK=1 halts the deployed template on a local AWS instead of one process.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
if [ -n "${STACK:-}" ]; then
    scripts/install-aws-tools.sh ministack sam
fi
cargo build --quiet --locked --workspace --bins --examples
exec "${CARGO_TARGET_DIR:-target}/debug/examples/bench_halt" "$@"
