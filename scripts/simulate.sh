#!/bin/sh
# The simulation, optimised: COURSES of them over all cores with progress, or as many as have HAPPENINGS; or one course told event by event with SEED.
set -eu
cd "$(dirname "$0")/.."

test=whatever_goes_wrong_the_laws_hold_and_every_run_ends
if [ -n "${SEED:-}" ]; then
    # Debug builds check more, and one course is short.
    SIMULATION_SEED=$SEED exec cargo test --locked --workspace --test simulation -- --nocapture --exact $test
fi
# The tests' feature `planted` is on here too; without a planted bug it changes nothing.
if [ -n "${HAPPENINGS:-}" ]; then
    export SIMULATION_HAPPENINGS="$HAPPENINGS"
else
    export SIMULATION_COURSES="${COURSES:-10000}"
fi
exec cargo test --locked --profile simulation -p heal-runtime --test simulation -- --nocapture --exact $test
