"""The functions themselves, their logs, the table and what comes out of the stack."""

import re
import unittest

import facts
from stack import ROOT, Stack, source

TABLE_KEYS = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
INDEX_ATTRIBUTES = {"run_id", "incident_id", "playbook", "status", "outcome", "started_at", "updated_at", "wake_at", "last_seq", "reason"}


class Functions(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.stack = Stack()
        cls.functions = {
            properties["FunctionName"].removeprefix("heal-"): properties
            for properties in cls.stack.of_type("AWS::Lambda::Function").values()
        }

    def test_a_run_may_go_round_more_often_than_the_recursion_guard_allows(self):
        for name, function in self.functions.items():
            self.assertEqual(function.get("RecursiveLoop"), "Allow", name)

    def test_runtime_handler_and_timeouts_are_those_of_the_architecture(self):
        for name, function in self.functions.items():
            self.assertEqual((function["Runtime"], function["Handler"]), ("provided.al2023", "bootstrap"), name)
        expected = {"dispatcher": facts.DISPATCHER_TIMEOUT_SECONDS, "scheduled-checks": facts.CHECKS_TIMEOUT_SECONDS}
        for name, function in self.functions.items():
            self.assertEqual(function["Timeout"], expected.get(name, facts.ACTION_TIMEOUT_SECONDS), name)

    def test_an_action_has_time_for_the_longest_deadline_that_an_action_asks_for(self):
        for folder in facts.action_folders():
            [seconds] = re.findall(r"default_timeout_seconds: (\d+)", (ROOT / "functions" / folder / "src/spec.rs").read_text())
            self.assertLess(int(seconds), self.functions[folder]["Timeout"], folder)

    def test_the_architecture_is_a_parameter_and_each_has_its_make_file(self):
        parameter = source()["Parameters"]["Architecture"]
        self.assertEqual(parameter["AllowedValues"], ["x86_64", "arm64"])
        for architecture in parameter["AllowedValues"]:
            stack = Stack(Architecture=architecture)
            for properties in stack.of_type("AWS::Lambda::Function").values():
                self.assertEqual(properties["Architectures"], [architecture])
            for resource in stack.template["Resources"].values():
                if resource["Type"] == "AWS::Lambda::Function":
                    context = stack.resolve(resource["Metadata"]["ContextPath"])
                    recipe = (ROOT / context / "Makefile").read_text()
                    self.assertRegex(recipe, rf"build-functions\.sh \$\* {architecture} ")

    def test_every_function_has_a_log_group_that_is_emptied(self):
        groups = {properties["LogGroupName"]: properties for properties in Stack(LogRetentionDays=7).of_type("AWS::Logs::LogGroup").values()}
        self.assertEqual(set(groups), {f"/aws/lambda/heal-{name}" for name in self.functions})
        for name, group in groups.items():
            self.assertEqual(group.get("RetentionInDays"), 7, name)

    def test_every_function_is_in_the_vpc_and_only_where_one_is_given(self):
        for name, function in self.functions.items():
            self.assertNotIn("VpcConfig", function, name)
        stack = Stack(SubnetIds="subnet-1,subnet-2", SecurityGroupIds="sg-1")
        for properties in stack.of_type("AWS::Lambda::Function").values():
            name = properties["FunctionName"].removeprefix("heal-")
            expected = {"SubnetIds": ["subnet-1", "subnet-2"], "SecurityGroupIds": ["sg-1"]}
            self.assertEqual(properties.get("VpcConfig"), expected, name)

    def test_the_table_is_as_the_store_expects_it(self):
        [table] = self.stack.of_type("AWS::DynamoDB::Table").values()
        self.assertEqual(table["KeySchema"], TABLE_KEYS)
        self.assertEqual(table["BillingMode"], "PAY_PER_REQUEST")
        self.assertEqual({given["AttributeType"] for given in table["AttributeDefinitions"]}, {"S"})
        self.assertEqual(table["TimeToLiveSpecification"], {"AttributeName": "expires_at", "Enabled": True})
        [index] = table["GlobalSecondaryIndexes"]
        self.assertEqual(index["IndexName"], "ended")
        self.assertEqual([key["AttributeName"] for key in index["KeySchema"]], ["gsi_pk", "gsi_sk"])
        self.assertEqual(index["Projection"]["ProjectionType"], "INCLUDE")
        self.assertEqual(set(index["Projection"]["NonKeyAttributes"]), INDEX_ATTRIBUTES)

    def test_the_table_is_encrypted_can_be_put_back_and_outlives_the_stack(self):
        [logical_id] = self.stack.of_type("AWS::DynamoDB::Table")
        table = self.stack.properties(logical_id)
        self.assertEqual(table["SSESpecification"], {"SSEEnabled": True})
        self.assertEqual(table["PointInTimeRecoverySpecification"], {"PointInTimeRecoveryEnabled": True})
        resource = self.stack.resources[logical_id]
        self.assertEqual((resource["DeletionPolicy"], resource["UpdateReplacePolicy"]), ("Retain", "Retain"))

    def test_clients_find_the_stack_by_its_outputs(self):
        outputs = self.stack.outputs()
        prefix = "https://sqs.eu-west-1.amazonaws.com/123456789012/heal-"
        self.assertEqual(outputs.pop("TableName"), "Table")
        self.assertEqual(outputs.pop("IncidentTopicArn"), "arn:aws:sns:eu-west-1:123456789012:heal-incidents")
        self.assertTrue(outputs.pop("DashboardUrl").endswith("#dashboards/dashboard/heal-self-healing"))
        self.assertEqual(
            outputs,
            {
                "IncidentsQueueUrl": prefix + "incidents",
                "ResultsQueueUrl": prefix + "results",
                "DeadLetterQueueUrl": prefix + "dead",
                "QueueUrlPrefix": prefix,
            },
        )

    def test_sam_unrolls_the_loops_in_each_of_its_environments(self):
        try:
            import tomllib
        except ImportError:
            self.skipTest("Python before 3.11 has no tomllib")
        config = tomllib.loads((ROOT / "samconfig.toml").read_text())
        for environment in ("default", "local", "prod"):
            self.assertIs(config[environment]["global"]["parameters"]["language_extensions"], True, environment)
            self.assertEqual(config[environment]["deploy"]["parameters"]["capabilities"], "CAPABILITY_IAM", environment)


if __name__ == "__main__":
    unittest.main()
