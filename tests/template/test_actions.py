"""Every action in functions/ has its parts in the template, and the template has no parts of an action that is not there."""

import unittest

import facts
from stack import Stack, source


class Actions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()

    def test_every_action_has_its_function_queue_and_role(self):
        for folder in facts.action_folders():
            stem = facts.logical(folder)
            for part in ("Function", "Queue", "DeadLetters", "Role", "Logs"):
                self.assertIn(
                    stem + part,
                    self.stack.resources,
                    f"functions/{folder} has no {stem}{part} in template.yaml: docs/adding-an-action.md says what an action needs there",
                )

    def test_every_action_says_in_these_tests_which_service_it_calls(self):
        self.assertEqual(
            sorted(facts.SERVICES),
            facts.action_folders(),
            "tests/template/facts.py and functions/ name different actions: SERVICES says what an action may reach",
        )

    def test_the_template_has_no_function_without_a_folder(self):
        functions = {properties["FunctionName"] for properties in self.stack.of_type("AWS::Lambda::Function").values()}
        self.assertEqual(functions, {f"heal-{name}" for name in facts.functions()})

    def test_the_template_has_no_queue_without_an_action(self):
        queues = {properties["QueueName"] for properties in self.stack.of_type("AWS::SQS::Queue").values()}
        expected = {f"heal-{name}" for name in facts.work_queues()}
        self.assertEqual(queues, expected | {f"{name}-dead" for name in expected} | {"heal-dead"})

    def test_the_build_finds_a_function_by_its_logical_id(self):
        for folder in facts.functions():
            resource = source()["Resources"].get(f"{facts.logical(folder)}Function")
            self.assertIsNotNone(resource, folder)
            metadata = resource["Metadata"]
            self.assertEqual((metadata["BuildMethod"], metadata["WorkingDirectory"]), ("makefile", "."), folder)


if __name__ == "__main__":
    unittest.main()
