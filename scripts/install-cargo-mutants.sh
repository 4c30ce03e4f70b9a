#!/bin/sh
# Installs cargo-mutants into .tools/bin, at a fixed version, unless some cargo-mutants is on the path or in .tools/bin.
set -eu

VERSION=27.0.0

cd "$(dirname "$0")/.."
PATH=$PWD/.tools/bin:$PATH
command -v cargo-mutants >/dev/null 2>&1 || cargo install --root .tools --locked --version "$VERSION" cargo-mutants
