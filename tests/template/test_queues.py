"""Queues, dead-letter queues, and the mappings between them and the functions."""

import unittest

import facts
from stack import Stack


class Queues(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.queues = {properties["QueueName"]: properties for properties in cls.stack.of_type("AWS::SQS::Queue").values()}
        cls.mappings = {
            properties["EventSourceArn"].rsplit(":", 1)[1]: properties
            for properties in cls.stack.of_type("AWS::Lambda::EventSourceMapping").values()
        }

    def test_all_queues_are_encrypted_and_standard(self):
        for name, queue in self.queues.items():
            self.assertIs(queue.get("SqsManagedSseEnabled"), True, name)
            self.assertNotIn("FifoQueue", queue, f"{name}: a queue that keeps the order has no delay for each message")

    def test_a_message_is_invisible_for_six_times_the_timeout_of_its_function(self):
        timeouts = {
            properties["FunctionName"]: properties["Timeout"] for properties in self.stack.of_type("AWS::Lambda::Function").values()
        }
        for name, mapping in self.mappings.items():
            self.assertGreaterEqual(self.queues[name]["VisibilityTimeout"], 6 * timeouts[mapping["FunctionName"]], name)

    def test_a_message_is_delivered_five_times_before_it_is_a_dead_letter(self):
        for name in facts.work_queues():
            redrive = self.queues[f"heal-{name}"]["RedrivePolicy"]
            self.assertGreaterEqual(redrive["maxReceiveCount"], 5, name)
            self.assertEqual(redrive["deadLetterTargetArn"], self.stack.queue(f"{name}-dead"))

    def test_dead_letters_are_kept_for_fourteen_days(self):
        dead = {name: queue for name, queue in self.queues.items() if name.endswith("-dead")}
        self.assertEqual(len(dead), len(facts.work_queues()) + 1)
        for name, queue in dead.items():
            self.assertEqual(queue.get("MessageRetentionPeriod"), facts.FOURTEEN_DAYS, name)
            self.assertNotIn("RedrivePolicy", queue, name)

    def test_each_queue_has_one_consumer_and_the_parking_queue_none(self):
        expected = {f"heal-{name}-dead": "heal-dispatcher" for name in facts.work_queues()}
        expected |= {"heal-incidents": "heal-dispatcher", "heal-results": "heal-dispatcher"}
        expected |= {f"heal-action-{facts.action(folder)}": f"heal-{folder}" for folder in facts.action_folders()}
        self.assertEqual({name: mapping["FunctionName"] for name, mapping in self.mappings.items()}, expected)
        count = len(self.stack.of_type("AWS::Lambda::EventSourceMapping"))
        self.assertEqual(count, len(expected), "two mappings share a queue")

    def test_a_failed_record_does_not_take_its_batch_with_it(self):
        for name, mapping in self.mappings.items():
            self.assertEqual(mapping.get("FunctionResponseTypes"), ["ReportBatchItemFailures"], name)

    def test_nothing_is_filtered_because_what_does_not_match_is_deleted(self):
        for name, mapping in self.mappings.items():
            self.assertNotIn("FilterCriteria", mapping, name)

    def test_batches_are_delivered_at_once_and_are_no_larger_than_a_timeout_bounds(self):
        for name, mapping in self.mappings.items():
            self.assertEqual(mapping["MaximumBatchingWindowInSeconds"], 0, name)
            is_action = name.startswith("heal-action-") and not name.endswith("-dead")
            self.assertEqual(mapping["BatchSize"], 5 if is_action else 10, name)

    def test_the_concurrency_of_each_function_is_a_parameter(self):
        wanted = {"DispatcherMaximumConcurrency": "20"}
        wanted |= {f"{facts.logical(folder)}MaximumConcurrency": "3" for folder in facts.action_folders()}
        stack = Stack(**wanted)
        for properties in stack.of_type("AWS::Lambda::EventSourceMapping").values():
            name = properties["EventSourceArn"].rsplit(":", 1)[1]
            limit = properties["ScalingConfig"]["MaximumConcurrency"]
            expected = 2 if name.endswith("-dead") else 3 if name.startswith("heal-action-") else 20
            self.assertEqual(limit, expected, name)
            self.assertIsInstance(limit, int, f"{name}: MiniStack compares it with a number")


if __name__ == "__main__":
    unittest.main()
