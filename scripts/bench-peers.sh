#!/bin/sh
# Runs `heal serve` and Restate alternately on the same work: four durable steps with two HTTP calls each. Prints ratios, medians and the machine.
# ROUNDS (5), RUNS_AT_1 (300) and RUNS_AT_64 (3000) change how much; FOLDER is where both keep their state (target/peers), on the disk to measure.
# Needs npm. The first call installs Restate into .tools/restate and builds both optimised, which takes about a quarter of an hour.
set -eu

# Of https://www.npmjs.com/package/@restatedev/restate-server
RESTATE=1.7.12

cd "$(dirname "$0")/.."
tools=${TOOLS:-.tools}/restate
target=${CARGO_TARGET_DIR:-target}
case "$(uname -s)-$(uname -m)" in
Linux-x86_64) platform=linux-x64 ;;
Linux-aarch64) platform=linux-arm64 ;;
*)
    echo "bench-peers counts bytes and processor time in /proc: it runs on Linux on x86-64 or arm64" >&2
    exit 2
    ;;
esac
server=$tools/node_modules/@restatedev/restate-server-$platform/bin/restate-server
if ! "$server" --version 2>/dev/null | grep -q " $RESTATE"; then
    if ! command -v npm >/dev/null 2>&1; then
        echo "Restate $RESTATE cannot be installed: npm is missing (https://nodejs.org)" >&2
        exit 3
    fi
    echo "installing Restate $RESTATE into $tools" >&2
    mkdir -p "$tools"
    npm install --silent --no-audit --no-fund --prefix "$tools" "@restatedev/restate-server@$RESTATE"
fi
echo "building heal (profile fast) and the service of Restate's SDK" >&2
cargo build --quiet --locked --profile fast -p heal
cargo build --quiet --locked --release --manifest-path benches/peers/Cargo.toml --target-dir "$target/peers-build"

folder=${FOLDER:-$target/peers}
mkdir -p "$folder"
model=$(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | head -1)
printf 'machine: %s cores, %s, %s %s\n' "$(getconf _NPROCESSORS_ONLN)" "${model:-processor unknown}" "$(uname -s)" "$(uname -r)"
printf 'disk: %s\n' "$(df -P "$folder" | awk 'NR == 2 { print $6 " on " $1 }')"
printf 'load before: %s\n' "$(cut -d' ' -f1-3 /proc/loadavg)"
printf 'heal: %s, WAL, synchronous=FULL, bundled policy; Restate %s, its log synced\n' "$(rustc --version)" "$RESTATE"
exec "$target/peers-build/release/peers" "$target/fast/heal" "$server" "$target/peers-build/release/restate_service" \
    "$target/peers-build/release/bare" "$folder" "${ROUNDS:-5}" "${RUNS_AT_1:-300}" "${RUNS_AT_64:-3000}"
