#!/bin/sh
# Deploys the engine on this machine: the real template on MiniStack (a local AWS), with the stand-in platform as target.
#
#   scripts/stack.sh up       starts what is not running, builds and deploys; run again to update
#   scripts/stack.sh down     stops what `up` started, and nothing else
#
# Everything is in .heal/stack: process ids, logs, `env`, the variables that point a client at the stack, and `api`, the identities of its HTTP API
# with a token for an operator and one for an approver. Queues and tables are in MiniStack's
# memory and are lost when it stops. HEAL_STACK_PORT sets the port; the default is 4566, or a free one.
set -eu

cd "$(dirname "$0")/.."
root=$PWD
dir=.heal/stack
stack=self-healing
region=us-east-1
python=.venv-ministack/bin/python
heal=${CARGO_TARGET_DIR:-target}/debug/heal

say() {
    printf '%s\n' "$*" >&2
}

# Whether the process that was started as $1 still runs. A reused process id does not count, nor does a zombie (Z).
runs() {
    [ -f "$dir/$1.pid" ] || return 1
    ps -o stat= -o command= -p "$(cat "$dir/$1.pid")" 2>/dev/null | grep -v '^Z' | grep -q "$1"
}

# Starts the command in "$3" and later as $1, in its own session, so that it outlives this script and can be killed with its children.
# Standard output goes to the file $2, standard error to the log.
start() {
    name=$1
    output=$2
    shift 2
    "$python" -c 'import os, sys; os.setsid(); os.execvp(sys.argv[1], sys.argv[1:])' "$@" \
        >"$output" 2>>"$dir/$name.log" </dev/null &
    echo $! >"$dir/$name.pid"
}

stop() {
    if runs "$1"; then
        pid=$(cat "$dir/$1.pid")
        kill -TERM "$pid" 2>/dev/null || true
        for _ in 1 2 3 4 5 6 7 8 9 10; do
            runs "$1" || break
            sleep 0.2
        done
        # Kill the rest of its session: functions that were executing.
        kill -KILL "-$pid" 2>/dev/null || true
        say "$1 stopped"
    fi
    rm -f "$dir/$1.pid"
}

# Waits up to 30 seconds until "$@" succeeds.
wait_for() {
    what=$1
    shift
    for _ in $(seq 150); do
        if "$@"; then return; fi
        if ! runs "$what"; then break; fi
        sleep 0.2
    done
    say "$what did not start; the end of $dir/$what.log:"
    tail -20 "$dir/$what.log" >&2
    exit 1
}

ministack_answers() {
    "$python" -c 'import sys, urllib.request as r; r.build_opener(r.ProxyHandler({})).open(sys.argv[1] + "/health", timeout=2)' \
        "$(cat "$dir/endpoint")" 2>/dev/null
}

sandbox_is_up() {
    grep -q '^export HEAL_SANDBOX_CONTROL_URL=' "$dir/sandbox.env"
}

start_ministack() {
    if runs ministack && ministack_answers; then return; fi
    stop ministack
    port=$("$python" - "${HEAL_STACK_PORT:-}" <<'END'
import socket, sys

def is_free(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0

if sys.argv[1]:
    port = int(sys.argv[1])
    if not is_free(port):
        sys.exit(f"port {port} (HEAL_STACK_PORT) is in use")
elif is_free(4566):
    port = 4566
else:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
print(port)
END
    )
    echo "http://127.0.0.1:$port" >"$dir/endpoint"
    mkdir -p "$dir/tmp"
    # Functions inherit MiniStack's environment, so it gets only PATH and HOME from this shell.
    start ministack "$dir/ministack.out" env -i PATH="$PATH" HOME="$HOME" TMPDIR="$root/$dir/tmp" \
        BIND_HOST=127.0.0.1 GATEWAY_PORT="$port" MINISTACK_HOST=localhost MINISTACK_REGION="$region" \
        LAMBDA_EXECUTOR=local PERSIST_STATE=0 AWS_ENDPOINT_URL="http://127.0.0.1:$port" \
        AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test "$root/.venv-ministack/bin/ministack"
    wait_for ministack ministack_answers
    say "MiniStack listens at http://127.0.0.1:$port"
}

start_sandbox() {
    if runs sandbox; then return; fi
    : >"$dir/sandbox.env"
    start sandbox "$dir/sandbox.env" "$heal" sandbox
    wait_for sandbox sandbox_is_up
}

# The identities of the HTTP API, made once, and its secret at the local AWS. Prints the secret's ARN.
make_identities() {
    "$python" - "$dir/api" "$(cat "$dir/endpoint")" "$region" "$stack" <<'END'
import base64, hashlib, json, os, secrets, sys, time, urllib.error, urllib.request

folder, endpoint, region, stack = sys.argv[1:]
os.makedirs(folder, mode=0o700, exist_ok=True)
if not os.path.exists(f"{folder}/api.json"):
    now = int(time.time() * 1000)
    entries = []
    for role in ("operator", "approver"):
        token = "heal_" + base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        with open(os.open(f"{folder}/{role}.token", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(token + "\n")
        expires = now + 366 * 86_400_000
        entries.append({"name": role, "sha256": hashlib.sha256(token.encode()).hexdigest(), "role": role, "created": now, "expires": expires})
    with open(f"{folder}/api.json", "w") as file:
        json.dump({"tokens": {"tokens": entries}}, file)

opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

def call(operation, body):
    headers = {
        "content-type": "application/x-amz-json-1.1",
        "x-amz-target": f"secretsmanager.{operation}",
        "authorization": f"AWS4-HMAC-SHA256 Credential=test/20260101/{region}/secretsmanager/aws4_request",
    }
    request = urllib.request.Request(endpoint, json.dumps(body).encode(), headers)
    return json.load(opener.open(request, timeout=10))["ARN"]

name = f"{stack}-api"
try:
    arn = call("CreateSecret", {"Name": name, "SecretString": json.dumps({"HEAL_SESSION_KEY": secrets.token_hex(32)})})
except urllib.error.HTTPError:
    arn = call("DescribeSecret", {"SecretId": name})
print(arn)
END
}

# The variables of the stand-in services as template parameters: EXECUTION_TICKET_SERVICE_URL becomes ExecutionTicketServiceUrl.
# Without a secret there is no identity, and functions do not use the control port.
overrides() {
    sed -n 's/^export //p' "$dir/sandbox.env" | grep -v '^HEAL_\|^SPIFFE_IDENTITY_SOURCE=' | awk -F= '{
        count = split(tolower($1), words, "_")
        name = ""
        for (i = 1; i <= count; i++) name = name toupper(substr(words[i], 1, 1)) substr(words[i], 2)
        print name "=" substr($0, length($1) + 2)
    }'
}

# Runs SAM against the local endpoint, without the credentials of an account.
sam() {
    env -u AWS_PROFILE -u AWS_SESSION_TOKEN AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null \
        AWS_ENDPOINT_URL="$(cat "$dir/endpoint")" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test \
        AWS_REGION=$region AWS_DEFAULT_REGION=$region SAM_CLI_TELEMETRY=0 .venv-sam/bin/sam "$@"
}

# Runs "$@" with its output in a log, whose end is shown on failure.
quietly() {
    log=$dir/$1.log
    shift
    if ! "$@" >"$log" 2>&1; then
        tail -40 "$log" >&2
        say "failed: $*; the whole output is in $log"
        exit 1
    fi
}

write_env() {
    {
        echo "AWS_ENDPOINT_URL=$(cat "$dir/endpoint")"
        echo "AWS_ACCESS_KEY_ID=test"
        echo "AWS_SECRET_ACCESS_KEY=test"
        echo "AWS_REGION=$region"
        echo "AWS_DEFAULT_REGION=$region"
        echo "HEAL_STACK=$stack"
        sed -n 's/^export \(HEAL_SANDBOX_CONTROL_URL=\)/\1/p' "$dir/sandbox.env"
    } >"$dir/env"
    # The variables of a function that runs outside of the stack, for `make watch`.
    sam list stack-outputs --stack-name "$stack" --output json >"$dir/outputs.json" 2>/dev/null
    "$python" - "$dir/outputs.json" >"$dir/functions.env" <<'END'
import json, sys

outputs = {output["OutputKey"]: output["OutputValue"] for output in json.load(open(sys.argv[1]))}
print("HEAL_TABLE=" + outputs["TableName"])
print("HEAL_QUEUE_URL_PREFIX=" + outputs["QueueUrlPrefix"])
print("HEAL_PLAYBOOKS_FILE=.aws-sam/build/DispatcherFunction/playbooks.json")
print("HEAL_GUARDRAILS_FILE=.aws-sam/build/DispatcherFunction/guardrails.json")
print("HEAL_CHECKS_FILE=.aws-sam/build/ScheduledChecksFunction/checks.json")
print("HEAL_METRICS_NAMESPACE=SelfHealing")
END
    # Every name under `localhost` is this machine for browsers and curl. MiniStack chooses the API by it, as API Gateway does.
    "$python" - "$dir/outputs.json" "$(sed 's/.*://' "$dir/endpoint")" >"$dir/api/url" <<'END'
import json, sys, urllib.parse

outputs = {output["OutputKey"]: output["OutputValue"] for output in json.load(open(sys.argv[1]))}
api = urllib.parse.urlsplit(outputs["ApiUrl"]).hostname.split(".")[0]
print(f"http://{api}.execute-api.localhost:{sys.argv[2]}")
END
    { sed '/^HEAL_/d' "$dir/env"; sed -n 's/^export //p' "$dir/sandbox.env"; } >>"$dir/functions.env"
}

up() {
    scripts/install-aws-tools.sh ministack sam
    mkdir -p "$dir"
    start_ministack
    secret=$(make_identities)
    say "building the functions (some minutes the first time; log: $dir/build.log)"
    export HEAL_BUILD_PROFILE="${HEAL_BUILD_PROFILE:-dev}" HEAL_BUILD_API="$root/$dir/api/api.json"
    quietly build sam build --config-env local
    start_sandbox
    say "deploying"
    # shellcheck disable=SC2046 # one word per parameter
    quietly deploy sam deploy --config-env local --no-confirm-changeset --parameter-overrides $(overrides) \
        ApiEnabled=true ApiAuthorizer=none "ApiSecretArn=$secret"
    write_env
    next
}

next() {
    control=$(sed -n 's/^HEAL_SANDBOX_CONTROL_URL=//p' "$dir/env")
    cat <<END

The engine is deployed at $(cat "$dir/endpoint"), as the stack $stack. heal finds it through $dir/env. Its console, for a browser:
  $(cat "$dir/api/url")
      sign in with the token in $dir/api/operator.token; approve what a run asks with $dir/api/approver.token
Try, in any shell in this folder:
  $heal incident send tests/events/ticket_timeout.json --watch
      heal a hanging worker, through queues and functions
  $heal runs list
      list the runs
  curl '$control/calls?effects=true'
      list the changes to the stand-in platform
  tail -f $dir/ministack.log
      show the logs of the functions
  make stack-down
      stop everything
END
}

down() {
    stop sandbox
    stop ministack
    rm -rf "$dir/api" "$dir/env" "$dir/functions.env" "$dir/endpoint" "$dir/sandbox.env" "$dir/outputs.json" "$dir/tmp"
}

case ${1:-} in
up) up ;;
down) down ;;
*)
    say "usage: scripts/stack.sh up | down"
    exit 2
    ;;
esac
