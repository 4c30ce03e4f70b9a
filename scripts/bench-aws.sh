#!/bin/sh
# Measures the requests and list price of a run on AWS and the start-up of the functions: builds them as they are deployed, on a local AWS.
set -eu

cd "$(dirname "$0")/.."
scripts/install-aws-tools.sh ministack sam cargo-lambda
target=${CARGO_TARGET_DIR:-target}
architecture=$(uname -m | sed 's/aarch64/arm64/')
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
printf 'toolchain: %s, functions in profile release\n' "$(rustc --version)"
# One call builds all functions.
HEAL_BUILD_ALSO=hello scripts/build-functions.sh DispatcherFunction "$architecture" "$target/functions/bench"
cargo build --locked --workspace --bins --examples
HEAL_PREBUILT=$target/functions/$architecture exec "$target/debug/examples/bench_aws"
