#!/bin/sh
# Prints what to try after `make run`.
heal=${CARGO_TARGET_DIR:-target}/debug/heal
cat <<END

Next, try:
  $heal serve --sandbox
      the same before your eyes: open http://127.0.0.1:8080, and raise the incident that its form proposes
  $heal run tests/events/ticket_timeout.json --sandbox --healthy
      the same incident with a healthy worker: its pod is not restarted
  $heal run tests/events/workflow_stuck.json --sandbox --state .heal/state.db
      a stuck workflow, recorded in a file; then try: $heal runs list
  $heal playbook show ticket_timeout_recovery
      a playbook as the engine understands it; \`$heal --help\` lists all commands
END
