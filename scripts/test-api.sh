#!/bin/sh
# Fuzzes the HTTP API by its own OpenAPI document: a real `heal serve` over the stand-in platform, and schemathesis, which sends what the
# document allows and what it does not. No answer may be a server error, or one that the document does not have. Takes two minutes.
#
#   scripts/test-api.sh [SECONDS]        default: 90
#
# Exits with 3 if Python 3 or its venv module is missing; the caller decides whether to continue.
set -eu

cd "$(dirname "$0")/.."
seconds=${1:-90}
heal=${CARGO_TARGET_DIR:-target}/debug/heal
scripts/install-python-tool.sh schemathesis schemathesis==4.32.5

folder=$(mktemp -d)
stop() {
    for process in "${serve:-}" "${sandbox:-}"; do
        [ -z "$process" ] || kill "$process" 2>/dev/null || true
    done
    wait
    rm -rf "$folder"
}
trap stop EXIT

# Prints the first line of a file once it has one.
first_line() {
    for _ in $(seq 100); do
        if [ -s "$1" ]; then
            head -1 "$1"
            return
        fi
        sleep 0.1
    done
    echo "nothing was written to $1 within 10 s" >&2
    exit 1
}

"$heal" sandbox >"$folder/sandbox.env" 2>"$folder/sandbox.log" &
sandbox=$!
first_line "$folder/sandbox.env" >/dev/null
. "$folder/sandbox.env"
mkdir "$folder/checks"
"$heal" serve --state "$folder/state.db" --playbooks playbooks --checks "$folder/checks" --listen 127.0.0.1:0 \
    >"$folder/address" 2>"$folder/serve.log" &
serve=$!
url=$(first_line "$folder/address")

# The run that the document's examples name.
curl --silent --show-error --fail --output /dev/null --header 'content-type: application/json' "$url/api/v1/remediation/execute" --data \
    '{"remediation_id": "run-1", "incident_id": "inc-1", "playbook_name": "workflow_restart", "parameters": {"workflow_id": "wf-1"}, "execution_mode": "MANUAL_APPROVAL"}'

# A stream lasts as long as its run. One worker: Python 3.11 fails now and then where several threads parse Python at once.
status=0
.venv-schemathesis/bin/schemathesis run "$url/openapi.json" --exclude-operation-id streamRun --max-time "$seconds" --seed 1 --workers 1 \
    --request-timeout 40 --phases examples,coverage,fuzzing --suppress-health-check all --warnings off --continue-on-failure \
    --checks not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,unsupported_method,allow_header_conformance || status=$?
if ! curl --silent --fail --output /dev/null "$url/health"; then
    echo "the service does not answer any more; the end of its log:" >&2
    tail -5 "$folder/serve.log" >&2
    exit 1
fi
exit $status
