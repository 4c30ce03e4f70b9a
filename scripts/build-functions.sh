#!/bin/sh
# Builds one function into a folder, ready to be zipped. `sam build` calls it once for each function of template.yaml (scripts/sam).
#
#   scripts/build-functions.sh LOGICAL_ID ARCHITECTURE FOLDER        DispatcherFunction x86_64 .aws-sam/build/DispatcherFunction
#
# The first call builds all functions with one run of cargo; later calls find nothing newer and only copy.
# HEAL_BUILD_PROFILE=release (default): for Lambda, by `cargo lambda`, against the C library of Lambda's runtime.
# HEAL_BUILD_PROFILE=dev: for this machine, by cargo, without symbols, for local stacks.
# HEAL_BUILD_PROFILE=prebuilt: copies from HEAL_PREBUILT (default: cargo's output folder), for tests, which run after a full build.
# HEAL_BUILD_ALSO names an additional package to build, for comparison.
# HEAL_BUILD_PLAYBOOKS names an additional folder of playbooks for the dispatcher.
# HEAL_BUILD_CHECKS names the folder of the scheduled checks; the default is playbooks/checks.
# HEAL_BUILD_GUARDRAILS names the file of the guardrails; the default is playbooks/guardrails.yaml.
# HEAL_BUILD_NOTIFY names the file of the notifications; the default is playbooks/notify.yaml, if it exists.
# HEAL_BUILD_API names the file of the HTTP API's identities (docs/access.md); without it, only API Gateway identifies callers.
set -eu

cd "$(dirname "$0")/.."
logical_id=$1
architecture=$2
folder=$3
profile=${HEAL_BUILD_PROFILE:-release}
target=${CARGO_TARGET_DIR:-target}
heal=$target/debug/heal
stamps=$target/functions

# ReallocateTicketFunction becomes functions/reallocate-ticket.
name=$(echo "${logical_id%Function}" | awk '{ gsub(/[A-Z]/, "-&"); print tolower(substr($0, 2)) }')
if [ ! -d "functions/$name" ]; then
    echo "template.yaml names $logical_id, but functions/$name does not exist" >&2
    exit 1
fi

case $profile in
dev)
    stamp=$stamps/dev
    binary=$target/debug/$name
    ;;
prebuilt)
    binary=${HEAL_PREBUILT:-$target/debug}/$name
    # The layout of `cargo lambda`.
    if [ -d "$binary" ]; then binary=$binary/bootstrap; fi
    ;;
release)
    stamp=$stamps/release-$architecture
    lambda=$stamps/$architecture
    binary=$lambda/$name/bootstrap
    ;;
*)
    echo "HEAL_BUILD_PROFILE is '$profile', expected release, dev or prebuilt" >&2
    exit 2
    ;;
esac

# Whether nothing that goes into a function is newer than the last build.
is_fresh() {
    [ -f "$stamp" ] && [ -f "$binary" ] && [ -x "$heal" ] &&
        { [ -z "${HEAL_BUILD_ALSO:-}" ] || [ -f "$lambda/$HEAL_BUILD_ALSO/bootstrap" ]; } &&
        [ -z "$(find Cargo.toml Cargo.lock cli functions policies proto scripts/release-env.sh shared -newer "$stamp" | head -1)" ]
}

build() {
    functions=${HEAL_BUILD_ALSO:+--package heal-$HEAL_BUILD_ALSO}
    for manifest in functions/*/Cargo.toml; do
        # A function has the name of its folder; a package of that name may be a library.
        functions="$functions --package $(sed -n 's/^name = "\(heal-[^"]*\)"$/\1/p' "$manifest" | head -1)"
    done
    # `sam build` shows standard error only after a failure.
    case $profile in
    dev)
        # shellcheck disable=SC2086 # one word per package
        cargo build --locked --bins $functions --package heal 2>&1
        ;;
    release)
        scripts/install-aws-tools.sh cargo-lambda
        triple=$(echo "$architecture" | sed 's/arm64/aarch64/')-unknown-linux-gnu
        if [ ! -d "$(rustc --print sysroot)/lib/rustlib/$triple" ]; then
            echo "missing: Rust's standard library for $architecture. Try: rustup target add $triple" >&2
            exit 1
        fi
        cargo build --locked --package heal 2>&1
        . scripts/release-env.sh
        # shellcheck disable=SC2086 # one word per package
        PATH=$PWD/.venv-cargo-lambda/bin:$PATH \
            cargo lambda build --release --locked "--$(echo "$architecture" | tr _ -)" --lambda-dir "$lambda" --bins $functions 2>&1
        ;;
    esac
}

if [ "$profile" = prebuilt ]; then
    for needed in "$binary" "$heal"; do
        [ -x "$needed" ] || { echo "$needed is not built; run: cargo test --workspace --no-run" >&2; exit 1; }
    done
elif ! is_fresh; then
    mkdir -p "$stamps"
    # Take the time before the build, so that a change during the build is newer.
    touch "$stamp.started"
    build
    mv "$stamp.started" "$stamp"
fi

mkdir -p "$folder"
if [ "$profile" != release ] && command -v strip >/dev/null 2>&1; then
    strip -o "$folder/bootstrap" "$binary"
else
    cp "$binary" "$folder/bootstrap"
fi
case $name in
dispatcher | api) "$heal" playbook compile playbooks ${HEAL_BUILD_PLAYBOOKS:+"$HEAL_BUILD_PLAYBOOKS"} --out "$folder/playbooks.json" ;;
esac
case $name in
scheduled-checks | api) "$heal" check compile "${HEAL_BUILD_CHECKS:-playbooks/checks}" --out "$folder/checks.json" ;;
esac
case $name in
api)
    if [ -f playbooks/hooks.yaml ]; then
        "$heal" hook compile --playbooks playbooks --out "$folder/hooks.json"
    else
        echo '{}' >"$folder/hooks.json"
    fi
    if [ -n "${HEAL_BUILD_API:-}" ]; then
        "$heal" access compile "$HEAL_BUILD_API" --out "$folder/api.json"
    else
        echo '{}' >"$folder/api.json"
    fi
    ;;
esac
case $name in
dispatcher | notify | scheduled-checks)
    notify=${HEAL_BUILD_NOTIFY:-playbooks/notify.yaml}
    if [ -f "$notify" ] || [ -n "${HEAL_BUILD_NOTIFY:-}" ]; then
        "$heal" notify compile "$notify" --playbooks playbooks ${HEAL_BUILD_PLAYBOOKS:+--playbooks "$HEAL_BUILD_PLAYBOOKS"} --out "$folder/notify.json"
    else
        echo '{}' >"$folder/notify.json"
    fi
    ;;
esac
# A file of guardrails that is missing or has an error fails the build, not the first message.
"$heal" guardrails compile ${HEAL_BUILD_GUARDRAILS:+"$HEAL_BUILD_GUARDRAILS"} --playbooks playbooks ${HEAL_BUILD_PLAYBOOKS:+--playbooks "$HEAL_BUILD_PLAYBOOKS"} --out "$folder/guardrails.json"
