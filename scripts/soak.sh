#!/bin/sh
# Hours of load, kills and faults on `heal serve`; fails if the account does not balance at the end. HOURS, by default 1; RATE, incidents a
# second; SEED repeats the choices of an earlier soak. STACK=1 soaks the deployed template on a local AWS instead, which ends with the soak.
set -eu

cd "$(dirname "$0")/.."
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
set -- --hours "${HOURS:-1}"
[ -z "${RATE:-}" ] || set -- "$@" --rate "$RATE"
[ -z "${SEED:-}" ] || set -- "$@" --seed "$SEED"
if [ -n "${STACK:-}" ]; then
    if [ ! -r /proc/net/tcp ]; then
        echo "STACK=1 needs Linux: the soak finds the function to kill by /proc/net/tcp, which does not exist here" >&2
        exit 3
    fi
    scripts/install-aws-tools.sh ministack sam
    # Every function, not only `heal`.
    cargo build --quiet --locked --workspace --bins
    set -- "$@" --stack
else
    cargo build --quiet --locked -p heal -p heal-soak --bins
fi
exec "${CARGO_TARGET_DIR:-target}/debug/heal-soak" "$@"
