#!/bin/sh
# A flame graph of `heal serve` under 64 runs at once: OUT (target/heal.svg), and a table of its parts. Needs perf and Python; builds heal once
# more, with frame pointers, by which perf follows the calls, and each crate by itself, which is quicker to build and slower than profile fast. Installs inferno, which draws, into .tools/bin.
set -eu

INFERNO=0.12.8
SECONDS_SAMPLED=8
# Prime, so that it does not follow a timer of the program.
SAMPLES_PER_SECOND=997
RUNS=12000
AT_ONCE=64

cd "$(dirname "$0")/.."
PATH=$PWD/.tools/bin:$PATH
target=${CARGO_TARGET_DIR:-target}
out=${OUT:-$target/heal.svg}
command -v perf >/dev/null 2>&1 || { echo "bench-flame needs perf (Debian: linux-perf)" >&2; exit 3; }
command -v inferno-flamegraph >/dev/null 2>&1 || cargo install --root .tools --locked --version "$INFERNO" inferno
cargo build --quiet --locked --release --manifest-path benches/peers/Cargo.toml --target-dir "$target/peers-build"
RUSTFLAGS="-C force-frame-pointers=yes" CFLAGS="-fno-omit-frame-pointer" CARGO_PROFILE_FAST_LTO=off CARGO_PROFILE_FAST_CODEGEN_UNITS=16 \
    cargo build --quiet --locked --profile fast -p heal --target-dir "$target/flame"

mkdir -p "$target/peers"
ready=$target/peers/flame.pid
: >"$ready"
"$target/peers-build/release/peers" alone "$target/flame/fast/heal" "$target/peers" "$RUNS" "$AT_ONCE" >"$ready" &
load=$!
trap 'kill $load 2>/dev/null || true' EXIT
while [ ! -s "$ready" ]; do
    kill -0 $load 2>/dev/null || exit 1
    sleep 0.1
done
data=$target/peers/flame.data
perf record --quiet --freq "$SAMPLES_PER_SECOND" --call-graph fp --output "$data" --pid "$(head -1 "$ready")" -- sleep "$SECONDS_SAMPLED"
wait $load
trap - EXIT
folded=$target/peers/flame.folded
perf script --input "$data" 2>/dev/null | inferno-collapse-perf --all >"$folded"
inferno-flamegraph --title "heal serve, 64 runs at once" --minwidth 0.4 --hash <"$folded" >"$out"
python3 scripts/flame_parts.py <"$folded"
rm -f "$data" "$ready" "$folded"
echo "$out"
