"""The notifier: off by default, with a queue of its own, eyes on runs and no hand on anything but its claims."""

import unittest

import facts
from stack import ARN, Stack
from test_permissions import CHANGE, READ, RECEIVE, TABLE

TOPIC = "arn:aws:sns:eu-west-1:123456789012:people"
SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:notify"
TIMEOUT_SECONDS = 60


def grants(stack, role):
    found = {}
    for statement in stack.statements(role):
        keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                found.setdefault((action, resource), set()).update(keys or {None})
    return found


class Notify(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(NotifyEnabled="true", NotifyTopicArns=TOPIC, NotifySecretArn=SECRET, AlarmTopicArn=TOPIC)

    def test_nothing_of_it_is_there_unless_it_is_switched_on(self):
        stack = Stack()
        self.assertFalse([logical_id for logical_id in stack.resources if logical_id.startswith("Notify")])
        self.assertNotIn("HEAL_NOTIFY_FILE", stack.properties("DispatcherFunction")["Environment"]["Variables"])

    def test_the_dispatcher_announces_only_where_somebody_listens(self):
        announce = ("sqs:SendMessage", self.stack.queue("notify"))
        self.assertIn(announce, grants(self.stack, "DispatcherRole"))
        self.assertEqual(self.stack.properties("DispatcherFunction")["Environment"]["Variables"]["HEAL_NOTIFY_FILE"], "notify.json")
        self.assertNotIn(announce, grants(Stack(), "DispatcherRole"))

    def test_a_message_is_tried_five_times_and_then_parked_by_the_function_itself(self):
        queues = {properties["QueueName"]: properties for properties in self.stack.of_type("AWS::SQS::Queue").values()}
        queue, dead = queues["heal-notify"], queues["heal-notify-dead"]
        self.assertEqual(queue["RedrivePolicy"], {"deadLetterTargetArn": self.stack.queue("notify-dead"), "maxReceiveCount": 5})
        self.assertEqual(dead["MessageRetentionPeriod"], facts.FOURTEEN_DAYS)
        function = self.stack.properties("NotifyFunction")
        self.assertEqual(function["Timeout"], TIMEOUT_SECONDS)
        for given in (queue, dead):
            self.assertIs(given["SqsManagedSseEnabled"], True)
            self.assertGreaterEqual(given["VisibilityTimeout"], 6 * TIMEOUT_SECONDS)
        mappings = [
            mapping for mapping in self.stack.of_type("AWS::Lambda::EventSourceMapping").values() if mapping["FunctionName"] == "heal-notify"
        ]
        self.assertEqual({mapping["EventSourceArn"] for mapping in mappings}, {self.stack.queue("notify"), self.stack.queue("notify-dead")})
        for mapping in mappings:
            self.assertEqual((mapping["FunctionResponseTypes"], mapping["BatchSize"]), (["ReportBatchItemFailures"], 10))
            self.assertIsInstance(mapping["ScalingConfig"]["MaximumConcurrency"], int)

    def test_it_may_do_exactly_what_the_table_says(self):
        allowed = {}

        def allow(actions, resources, keys=(None,)):
            for action in actions:
                for resource in resources:
                    allowed.setdefault((action, resource), set()).update(keys)

        logs = ARN.format(service="logs", rest="log-group:/aws/lambda/heal-notify:*")
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
        allow(RECEIVE, [self.stack.queue("notify"), self.stack.queue("notify-dead")])
        allow(["sqs:SendMessage"], [self.stack.queue("notify"), self.stack.queue("dead")])
        allow(READ, [TABLE], ["RUN#*", "PLAN#*"])
        allow(["dynamodb:GetItem", *CHANGE], [TABLE], ["CLAIM#notify#*"])
        plain = Stack(NotifyEnabled="true")
        self.assertEqual(grants(plain, "NotifyFunctionRole"), allowed)
        allow(["sns:Publish"], [TOPIC])
        allow(["secretsmanager:GetSecretValue"], [SECRET])
        self.assertEqual(grants(self.stack, "NotifyFunctionRole"), allowed)
        self.assertTrue(self.stack.properties("NotifyFunction")["Role"].endswith("/NotifyFunctionRole"))

    def test_links_lead_to_the_api_of_the_stack_unless_another_address_is_given(self):
        def address(**parameters):
            return Stack(NotifyEnabled="true", **parameters).properties("NotifyFunction")["Environment"]["Variables"].get("HEAL_PUBLIC_URL")

        self.assertIsNone(address())
        self.assertEqual(address(ApiEnabled="true"), "https://HttpApi.execute-api.eu-west-1.amazonaws.com")
        self.assertEqual(address(ApiEnabled="true", NotifyPublicUrl="https://heal.example.org"), "https://heal.example.org")

    def test_whatever_keeps_people_from_being_told_raises_an_alarm(self):
        alarms = {name: alarm for name, alarm in self.stack.of_type("AWS::CloudWatch::Alarm").items() if name.startswith("Notify")}
        expected = {
            "NotifyDeadLettersAlarm": ("ApproximateNumberOfMessagesVisible", "heal-notify-dead"),
            "NotifyOldestMessageAlarm": ("ApproximateAgeOfOldestMessage", "heal-notify"),
            "NotifyRefusedAlarm": ("self_healing_notifications_total", "refused"),
            "NotifyLostAlarm": ("self_healing_notifications_total", "lost"),
            "NotifyErrorsAlarm": ("Errors", "heal-notify"),
            "NotifyThrottlesAlarm": ("Throttles", "heal-notify"),
        }
        self.assertEqual({name: (alarm["MetricName"], alarm["Dimensions"][0]["Value"]) for name, alarm in alarms.items()}, expected)
        for name, alarm in alarms.items():
            self.assertEqual((alarm["AlarmActions"], alarm["TreatMissingData"]), ([TOPIC], "notBreaching"), name)


if __name__ == "__main__":
    unittest.main()
