#!/bin/sh
# Puts the Open Policy Agent into .tools/bin, at the one version that the policy is tested with.
# Does nothing where it is already there. Without Go it says so and fails with 3: the caller decides whether to go on.
set -eu

VERSION=1.22.2

cd "$(dirname "$0")/.."
bin="$PWD/.tools/bin"

if [ -x "$bin/opa" ] && "$bin/opa" version 2>/dev/null | grep -qx "Version: $VERSION"; then
    echo "opa $VERSION is in .tools/bin"
    exit 0
fi
if ! command -v go >/dev/null 2>&1; then
    echo "opa $VERSION cannot be installed: there is no Go (https://go.dev/dl); tests against a real OPA are skipped" >&2
    exit 3
fi
echo "installing opa $VERSION into .tools/bin (a few minutes, once)"
mkdir -p "$bin"
# Without cgo the WebAssembly runtime is left out, which no policy here needs, and no C compiler is asked for.
GOBIN="$bin" CGO_ENABLED=0 go install "github.com/open-policy-agent/opa@v$VERSION"
"$bin/opa" version | head -1
