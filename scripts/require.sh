#!/bin/sh
# Lists every missing prerequisite of the build on this machine and exits with 1 if there is one.
set -eu

RUST=1.95.0
missing=0

lacks() {
    printf 'missing: %s\n' "$1" >&2
    missing=1
}

# Whether version $1 is at least version $2, both of the form 1.2.3.
at_least() {
    [ "$(printf '%s\n%s\n' "$1" "$2" | sort -t. -k1,1n -k2,2n -k3,3n | head -1)" = "$2" ]
}

for tool in cargo rustc; do
    if ! command -v "$tool" >/dev/null 2>&1; then
        lacks "$tool $RUST or newer. Install Rust with rustup: https://rustup.rs"
    fi
done
if command -v rustc >/dev/null 2>&1; then
    found=$(rustc --version | sed -n 's/^rustc \([0-9]*\.[0-9]*\.[0-9]*\).*/\1/p')
    if ! at_least "${found:-0.0.0}" "$RUST"; then
        lacks "rustc $RUST or newer; found ${found:-an unknown version}. Run: rustup update stable"
    fi
fi
if ! command -v "${CC:-cc}" >/dev/null 2>&1; then
    lacks "a C compiler (\`${CC:-cc}\`), for SQLite and the TLS library. Debian and Ubuntu: apt install build-essential; macOS: xcode-select --install"
fi
exit $missing
