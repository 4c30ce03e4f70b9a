#!/bin/sh
# What a run costs on AWS, and how the functions start: builds them in the release profile, and measures them on a local AWS.
set -eu

cd "$(dirname "$0")/.."
scripts/install-aws-tools.sh ministack sam
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
printf 'toolchain: %s, profile release\n' "$(rustc --version)"
functions=""
for manifest in functions/*/Cargo.toml; do
    functions="$functions --package $(basename "$(dirname "$manifest")")"
done
# shellcheck disable=SC2086 # one word per package
AWS_LC_SYS_NO_JITTER_ENTROPY=1 cargo build --locked --release $functions --package heal --bins
AWS_LC_SYS_NO_JITTER_ENTROPY=1 cargo build --locked --release --package stack --examples
HEAL_PREBUILT=release exec "${CARGO_TARGET_DIR:-target}/release/examples/bench_aws"
