#!/bin/sh
# Installs the AWS tools into folders of this project, at fixed versions. Does nothing if they are installed.
#
#   scripts/install-aws-tools.sh [ministack] [sam] [cargo-lambda]        default: all three
#
# One virtual environment each, because MiniStack and the SAM CLI pin different versions of botocore.
# Exits with 3 if Python 3 or its venv module is missing; the caller decides whether to continue.
set -eu

cd "$(dirname "$0")/.."

packages() {
    case $1 in
    ministack) echo 'ministack[full]==1.5.33' ;;
    sam) echo 'aws-sam-cli==1.170.0 cfn-lint==1.58.0' ;;
    # Contains Zig, the linker for other architectures.
    cargo-lambda) echo 'cargo-lambda==1.9.2' ;;
    *)
        echo "unknown tool '$1': ministack, sam or cargo-lambda" >&2
        exit 2
        ;;
    esac
}

install() {
    wanted=$(packages "$1")
    folder=.venv-$1
    # The marker is written last, so that an interrupted installation is repeated.
    if [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && "$folder/bin/python" -c '' 2>/dev/null; then
        return
    fi
    if ! python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
        echo "missing: Python 3.10 or newer with its venv module, for $wanted. Debian and Ubuntu: apt install python3-venv" >&2
        exit 3
    fi
    echo "installing $wanted into $folder (once)" >&2
    rm -rf "$folder"
    python3 -m venv "$folder"
    # shellcheck disable=SC2086 # one word per package
    "$folder/bin/pip" --disable-pip-version-check install --quiet $wanted
    echo "$wanted" >"$folder/installed"
}

[ $# -gt 0 ] || set -- ministack sam cargo-lambda
for tool in "$@"; do
    install "$tool"
done
