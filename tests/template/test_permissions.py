"""Least privilege, as a table: what each function may do, and nothing else."""

import unittest

import facts
from stack import ARN, Stack, show

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:identity"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/1"
FULL = {
    "IdentitySecretArn": SECRET,
    "IdentitySecretKeyArn": KEY,
    "EksClusterName": "hive",
    "SubnetIds": "subnet-1",
    "SecurityGroupIds": "sg-1",
}
RECEIVE = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]
READ = ["dynamodb:GetItem", "dynamodb:Query"]
CHANGE = ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
TABLE = ARN.format(service="dynamodb", rest="table/Table")
VPC_POLICY = "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole"


def grants(stack, folder):
    """{(action, resource): leading keys, or None where there is no condition}, of everything that a function may do."""
    found = {}
    for statement in stack.statements(f"{facts.logical(folder)}Role"):
        assert statement["Effect"] == "Allow", statement
        keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                found.setdefault((action, resource), set()).update(keys or {None})
    return found


def expected(stack, folder):
    """The table itself."""
    allowed = {}

    def allow(actions, resources, keys=(None,)):
        for action in actions:
            for resource in resources:
                allowed.setdefault((action, resource), set()).update(keys)

    def queues(names):
        return [stack.queue(name) for name in names]

    action_queues = [f"action-{facts.action(name)}" for name in facts.action_folders()]
    allow(["logs:CreateLogStream", "logs:PutLogEvents"], [ARN.format(service="logs", rest=f"log-group:/aws/lambda/heal-{folder}:*")])
    if folder == "dispatcher":
        allow(RECEIVE, queues(["incidents", "results"] + [f"{name}-dead" for name in facts.work_queues()]))
        allow(["sqs:SendMessage"], queues(action_queues + ["results", "dead"]))
        rows = ["RUN#*", "DEDUPE#*", "LIVE#*", "PLAN#*", "REPEAT#*", "HALT"]
        allow([*READ, *CHANGE], [TABLE], rows)
        allow(["dynamodb:BatchGetItem"], [TABLE], ["COOLDOWN#*", "BUDGET#*"])
        allow(["dynamodb:Query"], [f"{TABLE}/index/ended"])
        allow(["dynamodb:GetItem", "dynamodb:PutItem"], [TABLE], ["AUTONOMY"])
    elif folder == "scheduled-checks":
        allow(["sqs:SendMessage"], queues(["incidents", "results"]))
        allow(["dynamodb:Query"], [TABLE], ["LIVE#*", "RUN#*", "HALT"])
        allow(["dynamodb:UpdateItem"], [TABLE], ["LIVE#*"])
        allow(["dynamodb:DeleteItem"], [TABLE], ["LIVE#*", "RUN#*"])
        allow(["dynamodb:Query"], [f"{TABLE}/index/ended"])
        allow([*READ, *CHANGE], [TABLE], ["CHECK#*"])
        # What depends on a sick service is held.
        allow(["dynamodb:GetItem"], [TABLE], ["BREAKER#*"])
        # It never removes a halt: one that was resumed keeps its row.
        allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], [TABLE], ["HALT"])
        # They look at workflows, so they have to say who they are.
        allow(["secretsmanager:GetSecretValue"], [SECRET])
        allow(["kms:Decrypt"], [KEY])
    else:
        name, service = facts.action(folder), facts.SERVICES[folder]
        allow(RECEIVE, queues([f"action-{name}"]))
        allow(["sqs:SendMessage"], queues(["results"]))
        rows = [f"CLAIM#{name}#*", f"COOLDOWN#{name}#*", "BUDGET#*", f"BREAKER#{service}", "BREAKER#opa"]
        allow(["dynamodb:GetItem", "dynamodb:BatchGetItem", *CHANGE], [TABLE], rows)
        # No action can halt or resume.
        allow(["dynamodb:Query"], [TABLE], ["HALT"])
        if service == "orchestrator":
            allow(["secretsmanager:GetSecretValue"], [SECRET])
            allow(["kms:Decrypt"], [KEY])
        if service == "kubernetes":
            allow(["eks:DescribeCluster"], [ARN.format(service="eks", rest="cluster/hive")])
    return allowed


class Permissions(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.stack = Stack(**FULL)

    def test_each_function_may_do_exactly_what_the_table_says(self):
        for folder in facts.functions():
            with self.subTest(folder):
                self.assertEqual(grants(self.stack, folder), expected(self.stack, folder))

    def test_each_function_has_a_role_of_its_own(self):
        roles = [properties["Role"] for properties in self.stack.of_type("AWS::Lambda::Function").values()]
        self.assertEqual(len(set(roles)), len(facts.functions()))
        self.assertEqual(len(self.stack.of_type("AWS::IAM::Role")), len(facts.functions()), "a role that no function has")
        for properties in self.stack.of_type("AWS::Lambda::Function").values():
            stem = facts.logical(properties["FunctionName"].removeprefix("heal-"))
            self.assertTrue(properties["Role"].endswith(f"/{stem}Role"), show(properties["Role"]))

    def test_no_statement_has_a_wildcard_action_or_resource(self):
        for folder in facts.functions():
            for statement in self.stack.statements(f"{facts.logical(folder)}Role"):
                self.assertFalse({"NotAction", "NotResource"} & set(statement), f"{folder}: {statement}")
                for action in statement["Action"]:
                    self.assertNotIn("*", action, folder)
                for resource in statement["Resource"]:
                    self.assertTrue(resource.startswith("arn:"), f"{folder}: {resource}")
                    # A log group's streams have no names that are known beforehand; nothing else may be open.
                    self.assertNotIn("*", resource.removesuffix(":*") if ":logs:" in resource else resource, folder)

    def test_rows_of_the_table_are_granted_only_by_their_keys(self):
        for folder in facts.functions():
            for (action, resource), keys in grants(self.stack, folder).items():
                if resource == TABLE:
                    self.assertNotIn(None, keys, f"{folder}: {action} on every row")

    def test_an_action_has_no_rows_of_another(self):
        for folder in facts.action_folders():
            for keys in grants(self.stack, folder).values():
                for key in keys - {None}:
                    if key.startswith(("CLAIM#", "COOLDOWN#")):
                        self.assertEqual(key.split("#")[1:], [facts.action(folder), "*"], folder)

    def test_managed_policies_are_there_only_in_a_vpc(self):
        for stack, in_vpc in ((Stack(), False), (self.stack, True)):
            for logical_id, role in stack.of_type("AWS::IAM::Role").items():
                self.assertEqual(role.get("ManagedPolicyArns", []), [VPC_POLICY] if in_vpc else [], logical_id)

    def test_without_a_secret_and_a_cluster_nobody_may_read_one(self):
        stack = Stack()
        for folder in facts.functions():
            for action, _ in grants(stack, folder):
                self.assertIn(action.split(":")[0], ("logs", "sqs", "dynamodb"), folder)

    def test_only_lambda_may_take_a_role(self):
        for logical_id, role in self.stack.of_type("AWS::IAM::Role").items():
            [statement] = role["AssumeRolePolicyDocument"]["Statement"]
            self.assertEqual(statement["Principal"], {"Service": "lambda.amazonaws.com"}, logical_id)
            self.assertEqual(statement["Action"], "sts:AssumeRole", logical_id)


if __name__ == "__main__":
    unittest.main()
