"""Where incidents come from, and who may put them on the queue; the schedule."""

import unittest

import facts
from stack import ARN, Stack

RULE = "arn:aws:events:eu-west-1:123456789012:rule/"


class Sources(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.rules = cls.stack.of_type("AWS::Events::Rule")

    def test_events_of_the_type_become_incidents_from_any_source_unless_one_is_named(self):
        target = {"Id": "incidents", "Arn": self.stack.queue("incidents")}
        self.assertEqual(self.rules["IncidentRule"]["EventPattern"], {"detail-type": ["self-healing.incident"]})
        self.assertEqual(self.rules["IncidentRule"]["Targets"], [target])
        named = Stack(IncidentEventSource="hive.monitor", IncidentEventBusName="hive").properties("IncidentRule")
        self.assertEqual(named["EventPattern"], {"detail-type": ["self-healing.incident"], "source": ["hive.monitor"]})
        self.assertEqual(named["EventBusName"], "hive")

    def test_alarms_become_incidents_by_their_name_and_are_withdrawn_when_they_are_ok(self):
        rule = Stack(IncidentAlarmPrefix="worker-").properties("IncidentAlarmRule")
        self.assertEqual(
            rule["EventPattern"],
            {
                "source": ["aws.cloudwatch"],
                "detail-type": ["CloudWatch Alarm State Change"],
                "detail": {"alarmName": [{"prefix": "worker-"}], "state": {"value": ["ALARM", "OK"]}},
            },
        )
        self.assertEqual([target["Arn"] for target in rule["Targets"]], [self.stack.queue("incidents")])

    def test_the_topic_sends_to_the_incidents_queue(self):
        [subscription] = self.stack.of_type("AWS::SNS::Subscription").values()
        self.assertEqual(subscription["Protocol"], "sqs")
        self.assertEqual(subscription["Endpoint"], self.stack.queue("incidents"))
        self.assertEqual(subscription["TopicArn"], ARN.format(service="sns", rest="heal-incidents"))

    def test_the_incidents_queue_takes_from_exactly_these(self):
        [policy] = self.stack.of_type("AWS::SQS::QueuePolicy").values()
        self.assertEqual(policy["Queues"], ["https://sqs.eu-west-1.amazonaws.com/123456789012/heal-incidents"])
        found = {}
        for statement in policy["PolicyDocument"]["Statement"]:
            self.assertEqual((statement["Effect"], statement["Action"]), ("Allow", "sqs:SendMessage"))
            self.assertEqual(statement["Resource"], self.stack.queue("incidents"))
            self.assertEqual(set(statement["Condition"]), {"ArnEquals"})
            found[statement["Principal"]["Service"]] = statement["Condition"]["ArnEquals"]["aws:SourceArn"]
        self.assertEqual(
            found,
            {
                "events.amazonaws.com": [RULE + "IncidentRule", RULE + "IncidentAlarmRule"],
                "sns.amazonaws.com": ARN.format(service="sns", rest="heal-incidents"),
            },
        )

    def test_checks_happen_each_minute_unless_they_are_switched_off(self):
        for given, state in (("true", "ENABLED"), ("false", "DISABLED")):
            stack = Stack(ScheduledChecksEnabled=given)
            rules = [rule for rule in stack.of_type("AWS::Events::Rule").values() if "ScheduleExpression" in rule]
            self.assertEqual([(rule["ScheduleExpression"], rule["State"]) for rule in rules], [("rate(1 minute)", state)])
            self.assertEqual(rules[0]["Targets"][0]["Arn"], ARN.format(service="lambda", rest="function:heal-scheduled-checks"))

    def test_a_missed_minute_is_not_made_up_for(self):
        [settings] = self.stack.of_type("AWS::Lambda::EventInvokeConfig").values()
        self.assertEqual(settings["FunctionName"], "heal-scheduled-checks")
        self.assertEqual(settings["MaximumRetryAttempts"], 0)

    def test_nothing_else_may_call_a_function(self):
        permissions = self.stack.of_type("AWS::Lambda::Permission").values()
        self.assertEqual([permission["FunctionName"] for permission in permissions], ["heal-scheduled-checks"])
        self.assertLess(facts.CHECKS_TIMEOUT_SECONDS, 60, "one check would run into the next")


if __name__ == "__main__":
    unittest.main()
