"""The HTTP API: off by default, closed to whom nobody has identified, and without a hand on runs."""

import unittest

from stack import ARN, Stack, source
from test_permissions import CHANGE, READ, TABLE

SECRET = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:api"
JWT = {"ApiEnabled": "true", "ApiAuthorizer": "jwt", "ApiJwtIssuer": "https://issuer.example.com", "ApiJwtAudience": "heal"}
KINDS = ("Api", "Integration", "Route", "Stage", "Authorizer")


def grants(stack):
    found = {}
    for statement in stack.statements("ApiFunctionRole"):
        keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
        for action in statement["Action"]:
            for resource in statement["Resource"]:
                found.setdefault((action, resource), set()).update(keys or {None})
    return found


class Api(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.iam = Stack(ApiEnabled="true")
        cls.jwt = Stack(**JWT)

    def test_nothing_of_it_is_there_unless_it_is_switched_on(self):
        stack = Stack()
        for kind in KINDS:
            self.assertEqual(stack.of_type(f"AWS::ApiGatewayV2::{kind}"), {})
        self.assertFalse([logical_id for logical_id in stack.resources if logical_id.startswith(("Api", "HttpApi"))])
        self.assertNotIn("ApiUrl", stack.outputs())
        self.assertNotIn("HEAL_API_SENDER", stack.properties("DispatcherFunction")["Environment"]["Variables"])

    def test_every_route_has_an_authorizer(self):
        for stack, kind in ((self.iam, "AWS_IAM"), (self.jwt, "JWT")):
            [route] = stack.of_type("AWS::ApiGatewayV2::Route").values()
            self.assertEqual((route["RouteKey"], route["AuthorizationType"]), ("$default", kind))
        [authorizer] = self.jwt.of_type("AWS::ApiGatewayV2::Authorizer").values()
        self.assertEqual(authorizer["JwtConfiguration"], {"Issuer": "https://issuer.example.com", "Audience": ["heal"]})
        self.assertEqual(self.iam.of_type("AWS::ApiGatewayV2::Authorizer"), {})

    def test_without_an_authorizer_the_function_is_the_only_door_and_has_its_key(self):
        stack = Stack(ApiEnabled="true", ApiAuthorizer="none", ApiSecretArn=SECRET, ApiHooksOpen="true")
        [route] = stack.of_type("AWS::ApiGatewayV2::Route").values()
        self.assertEqual((route["RouteKey"], route["AuthorizationType"]), ("$default", "NONE"))
        self.assertEqual(stack.properties("ApiFunction")["Environment"]["Variables"]["HEAL_SECRET"], SECRET)
        rule = source()["Rules"]["SessionsNeedAKey"]
        self.assertEqual(rule["Assertions"][0]["Assert"], {"Fn::Not": [{"Fn::Equals": [{"Ref": "ApiSecretArn"}, ""]}]})

    def test_alerts_pass_the_gateway_only_where_that_is_wanted_and_nothing_else_does(self):
        for parameters in ({"ApiEnabled": "true"}, JWT):
            stack = Stack(**parameters, ApiHooksOpen="true")
            routes = {route["RouteKey"]: route["AuthorizationType"] for route in stack.of_type("AWS::ApiGatewayV2::Route").values()}
            self.assertEqual(routes.pop("POST /hooks/{source}"), "NONE")
            self.assertEqual(len(routes), 1)
            self.assertNotEqual(routes["$default"], "NONE")

    def test_the_gateway_speaks_the_format_that_the_function_reads_and_waits_no_longer_than_it(self):
        [integration] = self.iam.of_type("AWS::ApiGatewayV2::Integration").values()
        self.assertEqual(integration["PayloadFormatVersion"], "2.0")
        function = self.iam.properties("ApiFunction")
        self.assertEqual(function["Timeout"] * 1000, integration["TimeoutInMillis"])
        self.assertEqual(function["FunctionName"], "heal-api")
        self.assertEqual(self.iam.properties("ApiLogs")["LogGroupName"], "/aws/lambda/heal-api")

    def test_the_dispatcher_believes_the_api_and_nobody_else(self):
        sender = self.iam.properties("DispatcherFunction")["Environment"]["Variables"]["HEAL_API_SENDER"]
        self.assertEqual(sender, "iam:AROAApiFunctionRole:heal-api")
        self.assertTrue(self.iam.properties("ApiFunction")["Role"].endswith("/ApiFunctionRole"))

    def test_its_callers_may_do_nothing_unless_a_parameter_or_the_file_says_more(self):
        for stack, role in ((self.iam, "none"), (Stack(ApiEnabled="true", ApiRole="operator"), "operator")):
            self.assertEqual(stack.properties("ApiFunction")["Environment"]["Variables"]["HEAL_API_ROLE"], role)

    def test_it_may_do_exactly_what_the_table_says(self):
        allowed = {}

        def allow(actions, resources, keys=(None,)):
            for action in actions:
                for resource in resources:
                    allowed.setdefault((action, resource), set()).update(keys)

        logs = ARN.format(service="logs", rest="log-group:/aws/lambda/heal-api:*")
        allow(["logs:CreateLogStream", "logs:PutLogEvents"], [logs])
        allow(["sqs:SendMessage"], [self.iam.queue("incidents"), self.iam.queue("results")])
        allow(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"], [self.iam.queue("dead")])
        allow(READ, [TABLE], ["RUN#*", "LIVE#*", "PLAN#*", "CHECK#*", "HALT", "AUTONOMY"])
        allow(["dynamodb:PutItem", "dynamodb:UpdateItem"], [TABLE], ["AUTONOMY"])
        allow(["dynamodb:Query"], [f"{TABLE}/index/ended"])
        claims = ["CLAIM#hook-delivery#*", "CLAIM#approval-link#*"]
        allow(["dynamodb:GetItem", *CHANGE], [TABLE], claims)
        self.assertEqual(grants(self.iam), allowed)
        allow(["secretsmanager:GetSecretValue"], [SECRET])
        self.assertEqual(grants(Stack(ApiEnabled="true", ApiSecretArn=SECRET)), allowed)

    def test_it_has_a_log_group_and_alarms_like_the_other_functions(self):
        alarms = self.iam.of_type("AWS::CloudWatch::Alarm")
        for metric in ("Errors", "Throttles"):
            alarm = alarms[f"Api{metric}Alarm"]
            self.assertEqual((alarm["MetricName"], alarm["Dimensions"]), (metric, [{"Name": "FunctionName", "Value": "heal-api"}]))
        self.assertIn("heal-api", self.iam.properties("HttpApiPermission")["FunctionName"])


if __name__ == "__main__":
    unittest.main()
