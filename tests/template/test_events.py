"""The event files for `make invoke` are what the functions really get."""

import hashlib
import json
import unittest

import facts
from stack import ROOT

EVENTS = ROOT / "tests/events/lambda"


def records(name):
    return json.loads((EVENTS / name).read_text())["Records"]


class Events(unittest.TestCase):
    def test_each_kind_of_message_is_there_on_a_queue_of_the_stack(self):
        queues = {}
        for path in sorted(EVENTS.glob("*.json")):
            for record in json.loads(path.read_text()).get("Records", []):
                queues[path.stem] = record["eventSourceARN"].rsplit(":", 1)[1].removeprefix("self-healing-")
                self.assertIsInstance(json.loads(record["body"]), dict, path.name)
                self.assertEqual(record["md5OfBody"], hashlib.md5(record["body"].encode()).hexdigest(), path.name)
        self.assertEqual(
            queues,
            {
                "dispatcher_incident": "incidents",
                "dispatcher_result": "results",
                "dispatcher_dead_letter": "action-reallocate_ticket-dead",
                "reallocate_ticket": "action-reallocate_ticket",
            },
        )
        for queue in queues.values():
            self.assertIn(queue.removesuffix("-dead"), facts.work_queues())

    def test_the_incident_is_the_one_that_the_readme_heals(self):
        [record] = records("dispatcher_incident.json")
        self.assertEqual(json.loads(record["body"]), json.loads((ROOT / "tests/events/ticket_timeout.json").read_text()))

    def test_the_command_carries_the_digest_of_its_parameters(self):
        [record] = records("reallocate_ticket.json")
        command = json.loads(record["body"])
        text = json.dumps(command["parameters"], sort_keys=True, separators=(",", ":"))
        self.assertEqual(command["parameters_digest"], hashlib.sha256(text.encode()).hexdigest())

    def test_the_schedule_sends_a_scheduled_event(self):
        event = json.loads((EVENTS / "scheduled_checks.json").read_text())
        self.assertEqual((event["source"], event["detail-type"]), ("aws.events", "Scheduled Event"))


if __name__ == "__main__":
    unittest.main()
