#!/bin/sh
# Every check that a change has to pass. The summary at the end lists what could not be checked on this machine.
# With CI=1 or CI=true a skipped check is a failure, and cargo-deny is installed if it is missing.
set -eu

cd "$(dirname "$0")/.."
heal=${CARGO_TARGET_DIR:-target}/debug/heal
# One line per skipped check. Rust tests append to it, too.
HEAL_TEST_SKIPS=$(mktemp)
export HEAL_TEST_SKIPS
trap 'rm -f "$HEAL_TEST_SKIPS"' EXIT

step() {
    printf '\n== %s\n' "$*"
}

skip() {
    printf 'skipped: %s\n' "$*" | tee -a "$HEAL_TEST_SKIPS"
}

is_ci() {
    [ "${CI:-}" = 1 ] || [ "${CI:-}" = true ]
}

# Runs an installer. If it exits with 3, a prerequisite is missing: records the skipped check $1 and returns 1.
install_or_skip() {
    what=$1
    shift
    status=0
    "$@" || status=$?
    case $status in
    0) return 0 ;;
    3) skip "$what: Go is not installed (https://go.dev/dl)" && return 1 ;;
    *) exit "$status" ;;
    esac
}

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings
# Functions by themselves, as they are deployed: without features that other programs of the workspace turn on.
# shellcheck disable=SC2046 # one word per package
cargo clippy --locked $(for manifest in functions/*/Cargo.toml; do echo --package "$(sed -n 's/^name = "\(heal-[^"]*\)"$/\1/p' "$manifest" | head -1)"; done) -- -D warnings

step "documentation"
RUSTDOCFLAGS=-Dwarnings cargo doc --locked --workspace --no-deps --quiet

# The tests build `heal` anyway, and with other features of its dependencies than a build of it alone.
step "build"
cargo test --locked --workspace --no-run

step "planted bugs"
# Each bug with the law that catches it. No shipped program may contain a switch for one.
cargo test --locked --workspace --test simulation -- --nocapture --exact planted::table::every_planted_bug_is_caught_by_a_law
for program in heal $(sed -n 's/^name = "\(heal-[^"]*\)"$/\1/p' functions/*/Cargo.toml); do
    if cargo tree --locked --package "$program" --edges features,no-dev --invert heal-engine --depth 2 | grep -F planted; then
        echo "$program has the feature planted"
        exit 1
    fi
    if cargo tree --locked --package "$program" --edges features,no-dev --invert heal-aws --depth 2 2>/dev/null | grep -F 'feature "fuzz"'; then
        echo "$program has the feature fuzz"
        exit 1
    fi
done

step "playbooks"
"$heal" playbook lint playbooks

step "policy"
if install_or_skip "the policy's tests in a real OPA" scripts/install-opa.sh; then
    .tools/bin/opa test policies
fi

step "dashboard"
if command -v go >/dev/null 2>&1; then
    scripts/test-dashboard.sh
else
    skip "the dashboard against Grafana's schema: Go is not installed (https://go.dev/dl)"
fi

step "receivers"
if install_or_skip "Prometheus' check of the alerts" scripts/install-receivers.sh; then
    .tools/bin/promtool check rules dashboards/alerts.yaml
fi

step "browser"
if ! scripts/install-browser.sh; then
    skip "the console in a browser: see above"
fi

step "clocks"
if ! scripts/install-faketime.sh; then
    skip "a real process whose clock is set: see above"
fi

step "template"
scripts/install-aws-tools.sh ministack sam
scripts/test-template.sh

step "HTTP API"
if python3 -c 'import ensurepip, venv' 2>/dev/null; then
    scripts/test-api.sh
else
    skip "the HTTP API against its document: Python 3 with its venv module is not installed"
fi

step "dependencies"
PATH=$PWD/.tools/bin:$PATH
if is_ci; then
    scripts/install-cargo-deny.sh
fi
if command -v cargo-deny >/dev/null 2>&1; then
    # It reads the crates of every platform, not only of this one.
    cargo fetch --locked --quiet
    cargo deny --offline --log-level error check bans licenses sources
else
    skip "licences, sources and forbidden edges of the dependencies: cargo-deny is not installed (\`make deny\` installs it)"
fi

step "tests"
status=0
cargo test --locked --workspace --no-fail-fast || status=$?

if [ -s "$HEAL_TEST_SKIPS" ]; then
    step "not checked"
    sort -u "$HEAL_TEST_SKIPS"
    if is_ci; then
        echo "CI must not skip a check"
        status=1
    fi
fi
exit $status
