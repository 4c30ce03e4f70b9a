#!/bin/bash
# Makes a golden state file: runs in every phase, written by a released `heal` and then killed in mid-step.
#
#   make.sh HEAL OUT.db      HEAL: the binary whose format is to be kept; needs bash, curl, jq, sqlite3
#
# The services are the binary's own sandbox, whose faults hold runs where they stand. The result is not the same byte for byte at
# each call (ids and times differ), so a golden file is made once per format version and never again.
set -euo pipefail
heal=$(realpath "$1") out=$(realpath -m "$2")
here=$(realpath "$(dirname "$0")")
work=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null; rm -rf "$work"' EXIT
cd "$work"
export RUST_LOG=info

cat > seed.json <<'SEED'
{"tickets": [{"ticket_id": "t-1", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-2", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-3", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-4", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-5", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-6", "status": "RUNNING", "assigned_worker": "worker-1"},
             {"ticket_id": "t-7", "status": "RUNNING", "assigned_worker": "worker-1"}],
 "workflows": [{"workflow_id": "wf-1", "plan_id": "p-1", "state": "RUNNING"}],
 "pods": [{"namespace": "neural-hive-execution", "name": "worker-1", "ready": true,
           "owner": {"kind": "StatefulSet", "name": "worker"}}]}
SEED
"$heal" sandbox --seed seed.json --json > sandbox.json 2> sandbox.err &
until jq -e .control_url sandbox.json > /dev/null 2>&1; do sleep 0.1; done
control=$(jq -r .control_url sandbox.json)
export_line=$(jq -r '.env | to_entries[] | "export \(.key)=\(.value)"' sandbox.json)
eval "$export_line"

serve() {
    "$heal" serve --state state.db --playbooks "$here/made-with/playbooks" --checks "$here/made-with/checks" \
        --listen 127.0.0.1:0 > serve.out 2>> serve.err &
    server=$!
    until api=$(grep -oh 'http://127.0.0.1:[0-9]*' serve.out serve.err | tail -1) && curl -sf "$api/health" > /dev/null; do sleep 0.1; done
}
fault() { curl -sf -X PUT "$control/faults" -d "$1" > /dev/null; }
no_fault() { curl -sf -X DELETE "$control/faults" > /dev/null; }
policy() { curl -sf -X PUT "$control/policy" -d "$1" > /dev/null; }
# incident ID TYPE REST-OF-JSON
incident() { curl -sf -H 'content-type: application/json' "$api/api/v1/incidents" -d "{\"incident_id\": \"$1\", \"incident_type\": \"$2\", $3}" > /dev/null; }
sql() { sqlite3 -cmd '.timeout 5000' state.db "$1"; }
run_of() { sql "SELECT run_id FROM run WHERE incident_id = '$1'"; }
# Waits until the SQL condition holds.
await() {
    for _ in $(seq 300); do [ "$(sql "SELECT count(*) > 0 FROM $1")" = 1 ] && return; sleep 0.1; done
    echo "never came: $1" >&2; sql "SELECT incident_id, status, outcome, reason FROM run" >&2; exit 1
}
ended() { await "run WHERE incident_id = '$1' AND outcome = '$2'"; }

serve
# Ended, each way.
incident completed PLAIN '"worker_id": "worker-1"'; ended completed COMPLETED
incident healed VERIFY '"workflow_id": "wf-1", "wanted": "RUNNING"'; ended healed HEALED
incident not-healed VERIFY_SHORT '"worker_id": "worker-1"'; ended not-healed NOT_HEALED
incident failed PAUSE '"workflow_id": "wf-none"'; ended failed FAILED
incident done CHAIN '"ticket_id": "t-7", "worker_id": "worker-1"'; ended done COMPLETED
policy '{"decision": {"deny": {"violations": [{"rule": "reallocate_ticket_rate_limited"}]}}}'
incident denied CHAIN '"ticket_id": "t-6", "worker_id": "worker-1"'; ended denied DENIED
policy '{"decision": "rules"}'
fault '{"service": "kubernetes", "operation": "get_pod", "calls": 2, "fault": {"status": {"code": 503}}}'
incident timed-out SHORT '"worker_id": "worker-1"'; await "run WHERE incident_id = 'timed-out' AND live = 0"
no_fault
incident rejected PLAIN '"recommended_playbook": "nowhere", "details": ["kept with its message"]'
await "run WHERE incident_id = 'rejected'"
incident cancelled WAIT '"worker_id": "worker-3"'
await "run r JOIN event_commit c ON c.run_no = r.no WHERE r.incident_id = 'cancelled' AND c.events LIKE '%wait_started%'"
curl -sf -X POST -H 'content-type: application/json' -d '{}' "$api/api/v1/remediation/$(run_of cancelled)/cancel" > /dev/null; ended cancelled CANCELLED
# What no service of ours would send: somebody else's text on the incidents queue, which the engine parks.
sql "INSERT INTO message (queue, due_at, turn, delivered, receive_count, sent_at, body) VALUES ('incidents', 0, 0, 0, 0, 0, 'not JSON')"
await dead_letter

# Live, each phase.
incident approval CHAIN '"ticket_id": "t-5", "worker_id": "worker-1", "auto_remediation_enabled": false'
incident waiting WAIT '"worker_id": "worker-1"'
await "event_commit WHERE events LIKE '%wait_started%' AND run_no = (SELECT no FROM run WHERE incident_id = 'waiting')"
incident joining WAIT '"worker_id": "worker-1"'
incident verifying VERIFY '"workflow_id": "wf-1", "wanted": "PAUSED"'
await "event_commit WHERE events LIKE '%retry_scheduled%' AND run_no = (SELECT no FROM run WHERE incident_id = 'verifying')"
fault '{"service": "orchestrator", "operation": "PauseWorkflow", "fault": {"grpc_status": {"code": "UNAVAILABLE"}}}'
incident retrying PAUSE '"workflow_id": "wf-1"'
await "event_commit WHERE events LIKE '%retry_scheduled%' AND run_no = (SELECT no FROM run WHERE incident_id = 'retrying')"
fault '{"service": "orchestrator", "operation": "GetWorkflowStatus", "fault": {"grpc_status": {"code": "UNAVAILABLE"}}}'
incident skipped SKIP '"workflow_id": "wf-1", "worker_id": "worker-1"'
await breaker
ended skipped COMPLETED
# Two elements of the fan-out are done before the third one hangs.
fault '{"service": "tickets", "operation": "reallocate_ticket", "fault": {"slow": {"by_ms": 700}}}'
incident fanning FAN '"worker_id": "worker-1", "affected_tickets": ["t-1", "t-2", "t-3", "t-4"]'
await "event_commit WHERE events LIKE '%\"item\":1%' AND events LIKE '%step_ended%'"
fault '{"service": "tickets", "operation": "reallocate_ticket", "fault": "hang"}'
fault '{"service": "tickets", "operation": "update_ticket_status", "fault": "hang"}'
fault '{"service": "tickets", "operation": "update_ticket", "fault": "hang"}'
incident in-flight FAN '"worker_id": "worker-1", "affected_tickets": ["t-5"]'
incident stopping FAN '"worker_id": "worker-1", "affected_tickets": ["t-6", "t-1"]'
await "claim WHERE result IS NULL AND attempt LIKE (SELECT run_id FROM run WHERE incident_id = 'in-flight') || '%'"
await "claim WHERE result IS NULL AND attempt LIKE (SELECT run_id FROM run WHERE incident_id = 'stopping') || '%'"
curl -sf -X POST -H 'content-type: application/json' -d '{}' "$api/api/v1/remediation/$(run_of stopping)/cancel" > /dev/null
await "event_commit WHERE events LIKE '%\"stopping\"%' AND run_no = (SELECT no FROM run WHERE incident_id = 'stopping')"
await check_state
kill -9 $server; wait $server 2>/dev/null || true
mkdir kept; cp state.db* kept/

# A burst of incidents, and a kill while messages lie untaken on all three kinds of queues; as often as it takes.
for tried in $(seq 200); do
    cp kept/state.db* .
    serve
    senders=()
    for number in $(seq 10 33); do
        incident "burst-$number" PLAIN '"worker_id": "worker-1"' & senders+=($!)
    done
    sleep "0.0$((RANDOM % 90 + 10))"
    kill -9 $server; wait $server "${senders[@]}" 2>/dev/null || true
    untaken() { sql "SELECT count(*) FROM message WHERE delivered = 0 AND queue LIKE '$1' AND due_at < 4000000000000"; }
    counts="$(untaken incidents) $(untaken 'action-%') $(untaken results)"
    echo "burst $tried: $counts untaken on incidents, actions, results" >&2
    case " $counts " in *" 0 "*) ;; *) break ;; esac
    rm -f state.db*
done

# A reader of the file completes the checkpoint of the killed process; nothing else is changed.
sql 'PRAGMA wal_checkpoint(TRUNCATE)' > /dev/null
sql 'PRAGMA integrity_check'
cp state.db "$out"
sqlite3 "$out" "SELECT incident_id, status, outcome FROM run; SELECT queue, delivered, count(*) FROM message GROUP BY 1, 2"
