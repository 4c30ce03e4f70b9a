#!/bin/sh
# Installs what the console's tests need: Chromium with its driver from Debian's packages, which needs root, and axe-core, the rules of
# accessibility, from npm into .tools. Does nothing if they are installed. Exits with 3 if one cannot be installed; says which.
set -eu

AXE=4.14.1

cd "$(dirname "$0")/.."
tools=$PWD/.tools

if ! command -v chromium >/dev/null 2>&1 || ! command -v chromedriver >/dev/null 2>&1; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "Chromium is missing: apt-get install chromium chromium-driver" >&2
        exit 3
    fi
    echo "installing chromium and chromium-driver (a minute, once)"
    apt-get -qq update >&2
    DEBIAN_FRONTEND=noninteractive apt-get -qq install --no-install-recommends chromium chromium-driver fonts-dejavu-core >&2
fi
if [ "$(cat "$tools/.axe" 2>/dev/null)" != "$AXE" ]; then
    if ! command -v npm >/dev/null 2>&1; then
        echo "axe-core is missing: npm is not installed" >&2
        exit 3
    fi
    mkdir -p "$tools"
    rm -rf "$tools/axe"
    mkdir "$tools/axe"
    (cd "$tools/axe" && npm pack --silent "axe-core@$AXE" >/dev/null && tar -xzf axe-core-*.tgz)
    mv "$tools/axe/package/axe.min.js" "$tools/axe.min.js"
    rm -rf "$tools/axe"
    echo "$AXE" >"$tools/.axe"
fi
