#!/bin/sh
# Installs cargo-deny into .tools/bin, at a fixed version, unless some cargo-deny is on the path or in .tools/bin.
set -eu

VERSION=0.20.2

cd "$(dirname "$0")/.."
PATH=$PWD/.tools/bin:$PATH
command -v cargo-deny >/dev/null 2>&1 || cargo install --root .tools --locked --version "$VERSION" cargo-deny
