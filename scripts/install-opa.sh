#!/bin/sh
# Installs the Open Policy Agent into .tools/bin, at the version that the policy is tested with. Does nothing if it is installed.
# Exits with 3 if Go is missing; the caller decides whether to continue.
set -eu

VERSION=1.22.2

cd "$(dirname "$0")/.."
bin="$PWD/.tools/bin"

if [ -x "$bin/opa" ] && "$bin/opa" version 2>/dev/null | grep -qx "Version: $VERSION"; then
    echo "opa $VERSION is in .tools/bin"
    exit 0
fi
if ! command -v go >/dev/null 2>&1; then
    echo "opa $VERSION cannot be installed: Go is missing (https://go.dev/dl)" >&2
    exit 3
fi
echo "installing opa $VERSION into .tools/bin (a few minutes, once)"
mkdir -p "$bin"
# Without cgo, OPA needs no C compiler and has no WebAssembly runtime, which no policy here uses.
GOBIN="$bin" CGO_ENABLED=0 go install "github.com/open-policy-agent/opa@v$VERSION"
"$bin/opa" version | head -1
