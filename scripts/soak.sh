#!/bin/sh
# Hours of load, kills and faults on `heal serve`; fails if the account does not balance at the end. HOURS, by default 1; RATE, incidents a
# second; SEED repeats the choices of an earlier soak.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
cargo build --quiet --locked -p heal -p heal-soak --bins
set -- --hours "${HOURS:-1}"
[ -z "${RATE:-}" ] || set -- "$@" --rate "$RATE"
[ -z "${SEED:-}" ] || set -- "$@" --seed "$SEED"
exec "${CARGO_TARGET_DIR:-target}/debug/heal-soak" "$@"
