#!/bin/sh
# More incidents in a minute than their target can serve: fails if any run fails or times out for being late. Takes about five minutes.
# Arguments: incidents, seconds, calls a second. STACK=1 sends them through the deployed template on a local AWS instead of one process.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
if [ -z "${STACK:-}" ]; then
    exec cargo run --quiet --profile "${STORM_PROFILE:-bench}" -p heal-embedded --example storm -- "$@"
fi
scripts/install-aws-tools.sh ministack sam
cargo build --quiet --locked --workspace --bins --examples
exec "${CARGO_TARGET_DIR:-target}/debug/examples/storm_aws" "$@"
