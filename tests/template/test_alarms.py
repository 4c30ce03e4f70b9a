"""Alarms for every queue, every function, the table and the outcomes of runs; the dashboard."""

import json
import unittest

import facts
from stack import ROOT, Stack

TOPIC = "arn:aws:sns:eu-west-1:123456789012:people"

# The guide's metrics and the engine's own, each with the labels that it is shown by. `service_name`, the function, comes to all of them; by
# it alone every metric is counted once more.
METRICS = {
    "self_healing_ticket_reallocation_total": {"status", "reason"},
    "self_healing_ticket_reallocation_duration_seconds": set(),
    "self_healing_ticket_status_update_total": {"status", "new_status"},
    "self_healing_orchestrator_calls_total": {"operation", "status"},
    "self_healing_orchestrator_call_duration_seconds": {"operation"},
    "self_healing_opa_validation_total": {"action", "result"},
    "self_healing_runs_started_total": {"playbook"},
    "self_healing_runs_ended_total": {"playbook", "outcome"},
    "self_healing_run_duration_seconds": set(),
    "self_healing_runs_active": set(),
    "self_healing_runs_awaiting_approval": set(),
    "self_healing_circuit_breaker_state": {"service"},
    "self_healing_dead_lettered_steps_total": {"action"},
    "self_healing_hop_budget_exceeded_total": set(),
    "self_healing_halts_active": set(),
    "self_healing_runs_held": set(),
    "self_healing_decisions_total": {"action", "verdict"},
    "self_healing_cooldown_hits_total": {"action"},
    "self_healing_budget_hits_total": {"action"},
    "self_healing_approvals_total": {"result", "severity"},
    "self_healing_runs_left_work_total": {"severity"},
    "self_healing_escalations_total": {"severity"},
    "self_healing_attempts_total": {"action", "status"},
    "self_healing_notifications_total": {"channel", "result"},
}
GROUPS = ["Ticket reallocations", "Workflow operations", "OPA validations", "Integration health", "Runs", "Guardrails", "Queues", "Functions"]


def series(alarm):
    """What an alarm asks for: (namespace, metric, dimensions, statistic). One series each: the local AWS computes none."""
    dimensions = tuple(sorted((given["Name"], given["Value"]) for given in alarm.get("Dimensions", [])))
    return alarm["Namespace"], alarm["MetricName"], dimensions, alarm["Statistic"]


def own(metric, statistic, **dimensions):
    """A series of the engine's own metrics."""
    return "SelfHealing", f"self_healing_{metric}", tuple(sorted(dimensions.items())), statistic


BREAKERS = {"Opa": "opa", "Tickets": "execution-ticket-service", "Orchestrator": "orchestrator", "Kubernetes": "kubernetes"}
OUTCOMES = {
    "HopBudgetAlarm": own("hop_budget_exceeded_total", "Sum", service_name="dispatcher"),
    "RunsFailedAlarm": own("runs_ended_total", "Sum", outcome="FAILED"),
    "RunsNotHealedAlarm": own("runs_ended_total", "Sum", outcome="NOT_HEALED"),
    "RunsTimeoutAlarm": own("runs_ended_total", "Sum", outcome="TIMEOUT"),
    "RunsDegradedAlarm": own("runs_ended_total", "Sum", outcome="DEGRADED"),
    "RunsEscalatedAlarm": own("runs_ended_total", "Sum", outcome="ESCALATED"),
    "ApprovalRequestedAlarm": own("approvals_total", "Sum", result="requested"),
    "ApprovalExpiringAlarm": own("approvals_total", "Sum", result="expiring"),
    "ApprovalLapsedAlarm": own("approvals_total", "Sum", result="lapsed"),
    "EscalationAlarm": own("escalations_total", "Sum", service_name="dispatcher"),
    "DemotionAlarm": own("demotions_total", "Sum", service_name="dispatcher"),
    "StepsUnknownAlarm": own("step_duration_seconds", "SampleCount", outcome="unknown"),
    "PolicyErrorAlarm": own("opa_validation_total", "Sum", result="error"),
    "PolicyFailOpenAlarm": own("opa_validation_total", "Sum", result="fail_open"),
    **{f"{name}BreakerOpenAlarm": own("circuit_breaker_state", "Maximum", service=it) for name, it in BREAKERS.items()},
    "RunsPileUpAlarm": own("runs_active", "Maximum", service_name="scheduled-checks"),
    "RunsWaitAlarm": own("runs_waiting_oldest_seconds", "Maximum", service_name="scheduled-checks"),
    "HaltedAlarm": own("halts_active", "Maximum", service_name="scheduled-checks"),
    "StormAlarm": own("storms_active", "Maximum", service_name="scheduled-checks"),
    "ScheduleStoppedAlarm": ("AWS/Lambda", "Invocations", (("FunctionName", "heal-scheduled-checks"),), "Sum"),
}
# Thresholds of the alarms that do not go off at the first.
HALF_OPEN = 1
THRESHOLDS = {"ApproximateAgeOfOldestMessage": 1800, "self_healing_circuit_breaker_state": HALF_OPEN, "self_healing_runs_active": 500, "self_healing_runs_waiting_oldest_seconds": 1800}


class Alarms(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(AlarmTopicArn=TOPIC)
        cls.by_id = cls.stack.of_type("AWS::CloudWatch::Alarm")
        cls.alarms = {series(alarm)[:3]: alarm for alarm in cls.by_id.values()}

    def test_there_is_an_alarm_for_everything_that_can_go_wrong_unseen_and_no_other(self):
        expected = {key[:3] for key in OUTCOMES.values()}
        for name in facts.work_queues():
            expected.add(("AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", f"heal-{name}-dead"),)))
            expected.add(("AWS/SQS", "ApproximateAgeOfOldestMessage", (("QueueName", f"heal-{name}"),)))
        expected.add(("AWS/SQS", "ApproximateNumberOfMessagesVisible", (("QueueName", "heal-dead"),)))
        for name in facts.functions():
            for metric in ("Errors", "Throttles"):
                expected.add(("AWS/Lambda", metric, (("FunctionName", f"heal-{name}"),)))
        for operation in ("GetItem", "PutItem", "Query", "TransactWriteItems", "UpdateItem"):
            expected.add(("AWS/DynamoDB", "SystemErrors", (("Operation", operation), ("TableName", "Table"))))
        self.assertEqual(set(self.alarms), expected)

    def test_the_price_of_a_month_with_nothing_to_do_counts_them_and_the_mappings(self):
        stack = Stack()
        alarms, mappings = (len(stack.of_type(it)) for it in ("AWS::CloudWatch::Alarm", "AWS::Lambda::EventSourceMapping"))
        price = (ROOT / "tests/stack/examples/bench_aws/price.rs").read_text()
        self.assertIn(f"const ALARMS: f64 = {alarms}.0;", price)
        self.assertIn(f"const MAPPINGS: f64 = {mappings}.0;", price)
        page = (ROOT / "docs/benchmarks.md").read_text()
        self.assertIn(f"{alarms} alarms", page)
        self.assertIn(f"{mappings} event source mappings", page)

    def test_outcomes_have_their_alarms(self):
        for logical_id, expected in OUTCOMES.items():
            self.assertEqual(series(self.by_id[logical_id]), expected, logical_id)
        self.assertEqual(set(BREAKERS.values()), {"opa", *facts.SERVICES.values()})

    def test_an_alarm_goes_off_at_the_first_and_is_quiet_without_data(self):
        for (_, metric, dimensions), alarm in self.alarms.items():
            if metric == "Invocations":
                continue
            self.assertEqual(alarm["Threshold"], THRESHOLDS.get(metric, 0), dimensions)
            self.assertEqual(alarm["ComparisonOperator"], "GreaterThanThreshold", dimensions)
            self.assertEqual(alarm["TreatMissingData"], "notBreaching", dimensions)

    def test_a_schedule_that_stopped_raises_an_alarm_unless_it_is_switched_off(self):
        alarm = self.by_id["ScheduleStoppedAlarm"]
        self.assertEqual((alarm["Threshold"], alarm["ComparisonOperator"]), (1, "LessThanThreshold"))
        self.assertEqual((alarm["Period"] * alarm["EvaluationPeriods"], alarm["TreatMissingData"]), (600, "breaching"))
        self.assertNotIn("ScheduleStoppedAlarm", Stack(ScheduledChecksEnabled="false").of_type("AWS::CloudWatch::Alarm"))

    def test_every_alarm_says_what_is_wrong_and_names_its_page(self):
        for logical_id, alarm in self.by_id.items():
            text, page = alarm["AlarmDescription"].rsplit(" ", 1)
            self.assertTrue(text.endswith("."), logical_id)
            self.assertRegex(page, r"^docs/runbooks/[a-z-]+\.md$", logical_id)
            self.assertTrue((ROOT / page).is_file(), page)

    def test_a_wake_up_that_waits_its_time_raises_no_alarm(self):
        age = next(alarm for (_, metric, _), alarm in self.alarms.items() if metric == "ApproximateAgeOfOldestMessage")
        longest_delay_seconds = 900
        self.assertGreater(age["Threshold"], longest_delay_seconds + 6 * facts.ACTION_TIMEOUT_SECONDS)

    def test_alarms_report_to_the_topic_where_there_is_one(self):
        for key, alarm in self.by_id.items():
            self.assertEqual((alarm["AlarmActions"], alarm["OKActions"]), ([TOPIC], [TOPIC]), key)
        for logical_id, alarm in Stack().of_type("AWS::CloudWatch::Alarm").items():
            self.assertNotIn("AlarmActions", alarm, logical_id)


class Dashboard(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        [dashboard] = Stack().of_type("AWS::CloudWatch::Dashboard").values()
        cls.name = dashboard["DashboardName"]
        cls.widgets = json.loads(dashboard["DashboardBody"])["widgets"]
        cls.series = [
            series for widget in cls.widgets if widget["type"] == "metric" for series in widget["properties"]["metrics"]
        ]

    def test_it_has_its_groups_in_order(self):
        self.assertEqual(self.name, "heal-self-healing")
        titles = [widget["properties"]["markdown"] for widget in self.widgets if widget["type"] == "text"]
        self.assertEqual(titles, [f"## {group}" for group in GROUPS])

    def test_every_metric_is_on_it_by_its_labels(self):
        searches = [series[0]["expression"] for series in self.series if isinstance(series[0], dict)]
        for metric, labels in METRICS.items():
            wanted = "{" + ",".join(["SelfHealing", *sorted(labels | {"service_name"})]) + "}"
            found = [search for search in searches if f'MetricName="{metric}"' in search and wanted in search]
            self.assertTrue(found, f"{metric} by {sorted(labels)} is not on the dashboard")

    def test_every_queue_and_every_function_is_on_it(self):
        shown = {(series[1], series[3]) for series in self.series if series[0] in ("AWS/SQS", "AWS/Lambda")}
        for name in facts.work_queues():
            for metric in ("ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"):
                self.assertIn((metric, f"heal-{name}"), shown)
            self.assertIn(("ApproximateNumberOfMessagesVisible", f"heal-{name}-dead"), shown)
        self.assertIn(("ApproximateNumberOfMessagesVisible", "heal-dead"), shown)
        for name in [*facts.functions(), *facts.OPTIONAL]:
            for metric in ("Invocations", "Errors", "Throttles", "Duration"):
                self.assertIn((metric, f"heal-{name}"), shown)

    def test_no_two_widgets_lie_on_each_other(self):
        taken = set()
        for widget in self.widgets:
            cells = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            self.assertFalse(cells & taken, widget)
            self.assertLessEqual(widget["x"] + widget["width"], 24)
            taken |= cells


if __name__ == "__main__":
    unittest.main()
