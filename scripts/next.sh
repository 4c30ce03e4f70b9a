#!/bin/sh
# What to try after `make run`.
heal=${CARGO_TARGET_DIR:-target}/debug/heal
cat <<END

Next, try:
  $heal run tests/events/ticket_timeout.json --sandbox --healthy
      the same incident with a worker that is well: its pod is left alone
  $heal run tests/events/workflow_stuck.json --sandbox --state .heal/state.db
      a stuck workflow, kept in a file; afterwards: $heal runs list
  $heal playbook show ticket_timeout_recovery
      what the engine makes of a playbook; \`$heal --help\` has the rest
END
