#!/bin/sh
# Everything that is checked before a change goes in. The test runner comes last, so that its words are the last ones.
set -eu

cd "$(dirname "$0")/.."
heal=${CARGO_TARGET_DIR:-target}/debug/heal
skipped=""

step() {
    printf '\n== %s\n' "$*"
}

skip() {
    skipped="$skipped
skipped: $*"
    printf 'skipped: %s\n' "$*"
}

step "format"
cargo fmt --all --check

step "lints"
cargo clippy --locked --workspace --all-targets -- -D warnings
# By themselves, as they are deployed: without what other programs of the workspace ask of the crates that they share.
# shellcheck disable=SC2046 # one word per package
cargo clippy --locked $(for function in functions/*/; do echo --package "heal-$(basename "$function")"; done) -- -D warnings

# The tests build the program anyway, and with other features of its dependencies than a build of it alone would.
step "build"
cargo test --locked --workspace --no-run

step "playbooks"
"$heal" playbook lint playbooks

step "policy"
if scripts/install-opa.sh; then
    .tools/bin/opa test policies
else
    case $? in
    3) skip "the policy's tests in a real OPA, and the comparison with it, because there is no Go (https://go.dev/dl)" ;;
    *) exit 1 ;;
    esac
fi

step "dashboard"
if command -v go >/dev/null 2>&1; then
    scripts/test-dashboard.sh
else
    skip "the dashboard against Grafana's schema, because there is no Go (https://go.dev/dl)"
fi

step "receivers"
if scripts/install-receivers.sh; then
    .tools/bin/promtool check rules dashboards/alerts.yaml
else
    case $? in
    3) skip "real receivers of metrics and traces, and Prometheus' check of the alerts, because there is no Go (https://go.dev/dl)" ;;
    *) exit 1 ;;
    esac
fi

step "template"
scripts/install-aws-tools.sh ministack sam
scripts/test-template.sh

step "dependencies"
PATH=$PWD/.tools/bin:$PATH
if command -v cargo-deny >/dev/null 2>&1; then
    cargo deny --offline --log-level error check bans licenses sources
else
    skip "licences, sources and forbidden edges of the dependencies, because there is no cargo-deny (\`make deny\` installs it)"
fi

step "tests"
[ -z "$skipped" ] || printf '%s\n' "${skipped#?}"
cargo test --workspace --no-fail-fast
