#!/bin/sh
# 10,000 incidents in a minute on a target of 100 calls a second: fails if any run fails or times out for being late. Takes about five minutes.
# Arguments: incidents, seconds, calls a second.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
cargo run --quiet --profile "${STORM_PROFILE:-bench}" -p heal-embedded --example storm -- "$@"
