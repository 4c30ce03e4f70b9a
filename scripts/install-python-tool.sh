#!/bin/sh
# Installs one Python tool into a folder of this project, at a fixed version. Does nothing if it is installed.
#
#   scripts/install-python-tool.sh schemathesis schemathesis==4.32.5        .venv-schemathesis
#
# Exits with 3 if Python 3 or its venv module is missing; the caller decides whether to continue.
set -eu

cd "$(dirname "$0")/.."
folder=.venv-$1
wanted=$2
# The marker is written last, so that an interrupted installation is repeated.
if [ "$(cat "$folder/installed" 2>/dev/null)" = "$wanted" ] && "$folder/bin/python" -c '' 2>/dev/null; then
    exit 0
fi
if ! python3 -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    echo "missing: Python 3.10 or newer with its venv module, for $wanted. Debian and Ubuntu: apt install python3-venv" >&2
    exit 3
fi
echo "installing $wanted into $folder (once)" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/pip" --disable-pip-version-check install --quiet "$wanted"
echo "$wanted" >"$folder/installed"
