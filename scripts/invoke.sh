#!/bin/sh
# Sends one event to one function under `make watch`.
#
#   scripts/invoke.sh FUNCTION EVENT        scripts/invoke.sh dispatcher tests/events/lambda/dispatcher_incident.json
set -eu

cd "$(dirname "$0")/.."
if [ -z "${1:-}" ] || [ ! -f "${2:-}" ]; then
    {
        echo "usage: make invoke FUNCTION=<folder in functions/> EVENT=<file>, such as"
        echo "  make invoke FUNCTION=dispatcher EVENT=tests/events/lambda/dispatcher_incident.json"
        echo "available events:" tests/events/lambda/*.json
    } >&2
    exit 2
fi
scripts/install-aws-tools.sh cargo-lambda
PATH=$PWD/.venv-cargo-lambda/bin:$PATH
exec cargo lambda invoke "$1" --invoke-address 127.0.0.1 --invoke-port "${HEAL_INVOKE_PORT:-9000}" --data-file "$2"
