# Every rule of playbook_validation: what it stops, what it lets through, and where its edge is.
package neuralhive.self_healing.playbook_validation_test

import data.neuralhive.self_healing.playbook_validation as policy

# In the past of every evaluator's clock.
now := 1700000000000000000

second := 1000000000

minute := 60 * second

# The rules that a resource breaks in a context.
broken(resource, context) := {violation.rule |
	some violation in policy.violations with input as {"resource": resource, "context": context}
}

allowed(resource, context) if {
	policy.allow with input as {"resource": resource, "context": context}
}

reallocation := {"action": "reallocate_ticket", "ticket_id": "t-1", "reason": "timeout_recovery"}

# --- reallocate_ticket ---

test_a_complete_reallocation_is_allowed if {
	allowed(reallocation, {"now_ns": now, "last_reallocation_timestamp": 0})
}

test_a_batch_needs_no_ticket_id if {
	resource := {"action": "reallocate_ticket", "affected_tickets": ["t-1", "t-2"], "reason": "r"}
	allowed(resource, {"now_ns": now})
}

test_a_reallocation_without_any_ticket_is_denied if {
	every resource in [
		{"action": "reallocate_ticket", "reason": "r"},
		{"action": "reallocate_ticket", "ticket_id": "", "affected_tickets": [], "reason": "r"},
		{"action": "reallocate_ticket", "ticket_id": "  ", "affected_tickets": ["", " "], "reason": "r"},
		{"action": "reallocate_ticket", "ticket_id": 7, "affected_tickets": "t-1", "reason": "r"},
	] {
		broken(resource, {"now_ns": now}) == {"reallocate_ticket_missing_ticket_id"}
		not allowed(resource, {"now_ns": now})
	}
}

test_a_reallocation_without_reason_is_denied if {
	every reason in ["", " ", null, 1] {
		resource := object.union(reallocation, {"reason": reason})
		broken(resource, {"now_ns": now}) == {"reallocate_ticket_missing_reason"}
		not allowed(resource, {"now_ns": now})
	}
}

test_a_second_reallocation_waits_five_minutes if {
	every ago in [0, 1, minute, (5 * minute) - 1] {
		context := {"now_ns": now, "last_reallocation_timestamp": now - ago}
		broken(reallocation, context) == {"reallocate_ticket_rate_limited"}
		not allowed(reallocation, context)
	}
	every ago in [5 * minute, (5 * minute) + 1, 60 * minute] {
		allowed(reallocation, {"now_ns": now, "last_reallocation_timestamp": now - ago})
	}
}

test_a_last_time_in_the_future_counts_as_recent if {
	context := {"now_ns": now, "last_reallocation_timestamp": now + minute}
	broken(reallocation, context) == {"reallocate_ticket_rate_limited"}
}

test_a_last_time_that_cannot_be_read_counts_as_recent if {
	context := {"now_ns": now, "last_reallocation_timestamp": "yesterday"}
	broken(reallocation, context) == {"reallocate_ticket_rate_limited"}
}

test_without_a_last_time_nothing_is_limited if {
	allowed(reallocation, {"now_ns": now, "last_reallocation_timestamp": null})
	allowed(reallocation, {"now_ns": now})
	allowed(reallocation, {})
}

test_without_a_time_the_evaluators_clock_counts if {
	context := {"last_reallocation_timestamp": time.now_ns() - minute}
	broken(reallocation, context) == {"reallocate_ticket_rate_limited"}
	allowed(reallocation, {"last_reallocation_timestamp": time.now_ns() - (6 * minute)})
}

test_a_time_in_the_future_does_not_lift_the_limit if {
	own := time.now_ns()
	every given in [own + (6 * minute), own * 1000, 1e300] {
		context := {"now_ns": given, "last_reallocation_timestamp": own - minute}
		broken(reallocation, context) == {"reallocate_ticket_rate_limited"}
		not allowed(reallocation, context)
	}
}

test_a_ticket_that_is_over_is_not_reallocated if {
	every status in ["COMPLETED", "COMPENSATING", "COMPENSATED", "completed", " Compensated "] {
		broken(reallocation, {"now_ns": now, "ticket_status": status}) == {"reallocate_ticket_terminal_state"}
		not allowed(reallocation, {"now_ns": now, "ticket_status": status})
	}
}

test_a_ticket_in_another_status_may_be_reallocated if {
	every status in ["PENDING", "RUNNING", "FAILED", "", null, 7] {
		allowed(reallocation, {"now_ns": now, "ticket_status": status})
	}
}

# --- restart_workflow ---

test_a_paused_workflow_may_be_restarted if {
	allowed({"action": "restart_workflow", "workflow_id": "wf-1"}, {"workflow_state": "PAUSED"})
}

test_a_restart_without_workflow_is_denied if {
	broken({"action": "restart_workflow", "workflow_id": ""}, {"workflow_state": "PAUSED"}) == {"restart_workflow_missing_workflow_id"}
}

test_a_workflow_that_is_over_is_not_restarted if {
	every state in ["COMPLETED", "FAILED", "CANCELLED", "completed", " failed ", "WORKFLOW_STATE_CANCELLED"] {
		resource := {"action": "restart_workflow", "workflow_id": "wf-1"}
		broken(resource, {"workflow_state": state}) == {"restart_workflow_terminal_state"}
		not allowed(resource, {"workflow_state": state})
	}
}

test_a_workflow_in_another_state_may_be_restarted if {
	every state in ["PENDING", "RUNNING", "PAUSED", "REPLANNING", "UNSPECIFIED", "", null] {
		allowed({"action": "restart_workflow", "workflow_id": "wf-1"}, {"workflow_state": state})
	}
}

# --- update_ticket_status ---

test_a_status_update_needs_its_ticket if {
	allowed({"action": "update_ticket_status", "ticket_id": "t-1"}, {})
	broken({"action": "update_ticket_status", "affected_tickets": ["t-1"]}, {}) == {"update_ticket_status_missing_ticket_id"}
	not allowed({"action": "update_ticket_status"}, {})
}

test_the_status_of_a_ticket_that_is_over_is_not_overwritten if {
	resource := {"action": "update_ticket_status", "ticket_id": "t-1"}
	every status in ["COMPLETED", "COMPENSATING", "COMPENSATED", "compensating"] {
		broken(resource, {"ticket_status": status}) == {"update_ticket_status_terminal_state"}
		not allowed(resource, {"ticket_status": status})
	}
	every status in ["PENDING", "RUNNING", "FAILED", "", null] {
		allowed(resource, {"ticket_status": status})
	}
}

# --- trigger_replanning ---

test_a_replanning_needs_a_plan_or_a_workflow if {
	allowed({"action": "trigger_replanning", "plan_id": "p-1"}, {})
	allowed({"action": "trigger_replanning", "workflow_id": "wf-1"}, {})
	broken({"action": "trigger_replanning"}, {}) == {"trigger_replanning_missing_id"}
}

test_a_plan_that_is_over_is_not_made_again if {
	resource := {"action": "trigger_replanning", "plan_id": "p-1"}
	broken(resource, {"workflow_state": "COMPLETED"}) == {"trigger_replanning_terminal_state"}
}

# --- the whole ---

test_all_broken_rules_are_named_at_once if {
	context := {"now_ns": now, "last_reallocation_timestamp": now - minute}
	broken({"action": "reallocate_ticket"}, context) == {
		"reallocate_ticket_missing_ticket_id",
		"reallocate_ticket_missing_reason",
		"reallocate_ticket_rate_limited",
	}
}

test_severities_are_those_of_the_contract if {
	resources := [
		{"action": "reallocate_ticket"},
		{"action": "restart_workflow"},
		{"action": "update_ticket_status"},
		{"action": "trigger_replanning"},
	]
	context := {
		"now_ns": now,
		"last_reallocation_timestamp": now,
		"workflow_state": "FAILED",
		"ticket_status": "COMPLETED",
	}
	severities := {violation.rule: violation.severity |
		some resource in resources
		some violation in policy.violations with input as {"resource": resource, "context": context}
	}
	severities == {
		"reallocate_ticket_missing_ticket_id": "high",
		"reallocate_ticket_missing_reason": "medium",
		"reallocate_ticket_rate_limited": "high",
		"reallocate_ticket_terminal_state": "high",
		"restart_workflow_missing_workflow_id": "high",
		"restart_workflow_terminal_state": "high",
		"update_ticket_status_missing_ticket_id": "high",
		"update_ticket_status_terminal_state": "high",
		"trigger_replanning_missing_id": "high",
		"trigger_replanning_terminal_state": "high",
	}
}

test_a_violation_says_policy_rule_message_and_severity if {
	some violation in policy.violations with input as {"resource": {"action": "update_ticket_status"}}
	object.keys(violation) == {"policy", "rule", "msg", "severity"}
	violation.policy == "playbook_validation"
}

test_an_action_without_rules_is_allowed if {
	allowed({"action": "pause_workflow"}, {"workflow_state": "FAILED"})
	allowed({"action": "check_worker_health"}, {})
}

test_where_no_action_is_named_nothing_is_allowed if {
	not allowed({}, {})
	not allowed({"action": ""}, {})
	not policy.allow with input as {}
	not policy.allow with input as "reallocate_ticket"
}
