#!/bin/sh
# Serves the functions to `make invoke` and rebuilds them when they change. Table, queues and stand-in services are those
# of `make stack`, whose own functions keep processing the same queues.
set -eu

cd "$(dirname "$0")/.."
if [ ! -f .heal/stack/functions.env ]; then
    echo "no stack is running; start one with: make stack" >&2
    exit 1
fi
scripts/install-aws-tools.sh cargo-lambda
PATH=$PWD/.venv-cargo-lambda/bin:$PATH
exec cargo lambda watch --invoke-address 127.0.0.1 --invoke-port "${HEAL_INVOKE_PORT:-9000}" --env-file .heal/stack/functions.env
