#!/bin/sh
# The checks of a commit that take seconds: format and lints of the packages with staged Rust files. `make test` has the rest.
#
#   ln -s ../../scripts/pre-commit.sh .git/hooks/pre-commit        installs it; git commit --no-verify leaves it out
set -eu

cd "$(git rev-parse --show-toplevel)"
files=$(git diff --cached --name-only --diff-filter=ACMR -- '*.rs' '*.sh')
[ -n "$files" ] || exit 0

packages=""
for file in $files; do
    case $file in
    *.sh) sh -n "$file" ;;
    *)
        # The nearest folder with a manifest is the package.
        folder=$(dirname "$file")
        while [ ! -f "$folder/Cargo.toml" ]; do folder=$(dirname "$folder"); done
        packages="$packages --package $(sed -n 's/^name = "\(.*\)"/\1/p' "$folder/Cargo.toml" | head -1)"
        ;;
    esac
done
[ -n "$packages" ] || exit 0
cargo fmt --all --check
# shellcheck disable=SC2086 # one word per package
cargo clippy --locked $packages --all-targets -- -D warnings
