#!/bin/sh
# Mutation testing: each mutant of FILES is built and tested, one after another. FILES are paths or globs of one package, by default the engine's
# state machine. Files of shared/engine are tested by the engine's own tests, those of shared/runtime by the runtime's, and those of shared/guard by
# the guard's. TESTS replaces the tests that are run, as arguments of `cargo test`: a few that see most mutants, and the others only for what those
# missed. Arguments are for cargo-mutants: `--iterate` leaves out what an earlier call caught.
# Prints each mutant that no test sees; everything is in target/mutants.out. Exits with 2 if there is one.
set -eu

cd "$(dirname "$0")/.."
scripts/install-cargo-mutants.sh
PATH=$PWD/.tools/bin:$PATH

engine=shared/engine/src
files=${FILES:-"$engine/apply.rs $engine/apply/**/*.rs $engine/decide.rs $engine/state/held.rs $engine/turn/brakes.rs"}
package=heal-engine
tests="--tests"
case $files in
*shared/runtime/*)
    package=heal-runtime
    tests="--lib --test attempt --test shadow --test storms --test tickets --test halts --test gate --test simulation"
    ;;
*shared/guard/*)
    package=heal-guard
    tests="--tests"
    ;;
esac
tests=${TESTS:-$tests}
set -f # globs are for cargo-mutants
set -- "$@" --package "$package" --jobs 1 --output target
for file in $files; do set -- "$@" --file "$file"; done
for argument in $tests; do set -- "$@" --cargo-arg="$argument"; done

# Few random cases: a mutant that only one course in a hundred sees needs a case of its own.
export PROPTEST_CASES="${PROPTEST_CASES:-32}" SIMULATION_COURSES="${SIMULATION_COURSES:-8}"
exec cargo mutants "$@"
