# METADATA
# title: What self-healing may do
# description: >-
#   Asked before every critical action. An action goes ahead when it breaks no rule; an action without rules
#   goes ahead too. Times are epoch nanoseconds, 0 means never.
# scope: package
package neuralhive.self_healing.playbook_validation

# A ticket is left alone for five minutes after a reallocation.
reallocation_pause_ns := ((5 * 60) * 1000) * 1000000

terminal_states := {"COMPLETED", "FAILED", "CANCELLED"}

# The work of such a ticket is done, or is being or has been undone. A failed one may be tried again.
terminal_ticket_statuses := {"COMPLETED", "COMPENSATING", "COMPENSATED"}

default allow := false

# Where no action is named there is nothing to allow.
allow if {
	present(action)
	count(violations) == 0
}

# --- reallocate_ticket ---

violations contains violation(
	"reallocate_ticket_missing_ticket_id", "high",
	"a reallocation names a ticket, or a list of affected tickets",
) if {
	action == "reallocate_ticket"
	not present(resource("ticket_id"))
	not any_present(resource("affected_tickets"))
}

violations contains violation(
	"reallocate_ticket_missing_reason", "medium",
	"a reallocation says why",
) if {
	action == "reallocate_ticket"
	not present(resource("reason"))
}

violations contains violation(
	"reallocate_ticket_rate_limited", "high",
	"the ticket was reallocated less than 5 minutes ago",
) if {
	action == "reallocate_ticket"
	recently_reallocated
}

violations contains violation(
	"reallocate_ticket_terminal_state", "high",
	"the ticket is in a terminal status and is not executed again",
) if {
	action == "reallocate_ticket"
	has_terminal_ticket
}

# --- restart_workflow ---

violations contains violation(
	"restart_workflow_missing_workflow_id", "high",
	"a restart names its workflow",
) if {
	action == "restart_workflow"
	not present(resource("workflow_id"))
}

violations contains violation(
	"restart_workflow_terminal_state", "high",
	"the workflow is in a terminal state and cannot be restarted",
) if {
	action == "restart_workflow"
	in_terminal_state
}

# --- update_ticket_status ---

violations contains violation(
	"update_ticket_status_missing_ticket_id", "high",
	"a status update names its ticket",
) if {
	action == "update_ticket_status"
	not present(resource("ticket_id"))
}

violations contains violation(
	"update_ticket_status_terminal_state", "high",
	"the ticket is in a terminal status, which is not overwritten",
) if {
	action == "update_ticket_status"
	has_terminal_ticket
}

# --- trigger_replanning ---

violations contains violation(
	"trigger_replanning_missing_id", "high",
	"a replanning names a plan or a workflow",
) if {
	action == "trigger_replanning"
	not present(resource("plan_id"))
	not present(resource("workflow_id"))
}

violations contains violation(
	"trigger_replanning_terminal_state", "high",
	"the workflow is in a terminal state and is not planned anew",
) if {
	action == "trigger_replanning"
	in_terminal_state
}

# --- what the rules stand on ---

violation(rule, severity, msg) := {
	"policy": "playbook_validation",
	"rule": rule,
	"severity": severity,
	"msg": msg,
}

# A field of the resource or of the context, null where there is none. Not a bare reference: an undefined argument of a call
# would make the whole rule undefined, and a rule that is undefined forbids nothing.
resource(field) := field_of("resource", field)

action := resource("action")

context(field) := field_of("context", field)

field_of(part, field) := object.get(input, [part, field], null) if {
	is_object(input)
} else := null

present(value) if {
	is_string(value)
	trim_space(value) != ""
}

any_present(values) if {
	is_array(values)
	some value in values
	present(value)
}

# A clock that ran ahead puts the last time into the future: that counts as recent.
recently_reallocated if {
	last := context("last_reallocation_timestamp")
	is_number(last)
	last > 0
	now_ns - last < reallocation_pause_ns
}

# A last time that cannot be read is no proof that the pause is over.
recently_reallocated if {
	last := context("last_reallocation_timestamp")
	not is_null(last)
	not is_number(last)
}

# The earlier of the asker's clock and the evaluator's own: a time in the future does not lift the limit. Where none is given, the
# evaluator's own.
now_ns := min([given, time.now_ns()]) if {
	given := context("now_ns")
	is_number(given)
	given > 0
} else := time.now_ns()

in_terminal_state if {
	state := context("workflow_state")
	is_string(state)
	trim_prefix(upper(trim_space(state)), "WORKFLOW_STATE_") in terminal_states
}

has_terminal_ticket if {
	status := context("ticket_status")
	is_string(status)
	upper(trim_space(status)) in terminal_ticket_statuses
}
